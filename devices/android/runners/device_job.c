/* Runs one job of droidloop on a device: a .tflite model, K steps in one process, no Python.
 *
 *     device_job JOB.bin OUTPUTS.bin RESULT.json
 *
 * The job format is described in runner.py, beside this file. Whatever comes of the job is
 * written to RESULT.json, and the exit status is 0 then; 3 says that memory ran out, and anything
 * else that the runner itself came to grief. SIGALRM ends a job at its time limit (142 in a shell).
 *
 * LiteRT's and cJSON's own headers are not part of the registry packages that a bundle is made of,
 * so the few functions used are declared here, with the layouts that their binary interfaces fix.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- LiteRT 2.3, C interface (symbols VERS_1.0) ------------------------------------------- */

typedef struct { uint32_t rank_and_flags; int32_t dims[8]; uint32_t strides[8]; } Layout;
typedef struct { int32_t element; Layout layout; } TensorType;
enum { ACCELERATOR_CPU = 1, FOR_READING = 0, FOR_WRITING = 1, ALLOCATION_FAILURE = 2 };

int LiteRtCreateEnvironment(int n, const void *options, void **environment);
int LiteRtCreateModelFromFile(void *environment, const char *path, void **model);
int LiteRtGetNumModelSignatures(void *model, size_t *n);
int LiteRtGetModelSignature(void *model, size_t index, void **signature);
int LiteRtGetSignatureKey(void *signature, const char **key);
int LiteRtGetNumSignatureInputs(void *signature, size_t *n);
int LiteRtGetNumSignatureOutputs(void *signature, size_t *n);
int LiteRtGetSignatureInputName(void *signature, size_t index, const char **name);
int LiteRtGetSignatureOutputName(void *signature, size_t index, const char **name);
int LiteRtGetSignatureInputTensorByIndex(void *signature, size_t index, void **tensor);
int LiteRtGetSignatureOutputTensorByIndex(void *signature, size_t index, void **tensor);
int LiteRtGetRankedTensorType(void *tensor, TensorType *type);
int LiteRtCreateOptions(void **options);
int LiteRtSetOptionsHardwareAccelerators(void *options, int accelerators);
int LiteRtCreateOpaqueOptions(const char *name, void *data, void (*destroy)(void *), void **opaque);
int LiteRtAddOpaqueOptions(void *options, void *opaque);
int LiteRtCreateCompiledModel(void *environment, void *model, void *options, void **compiled);
int LiteRtGetCompiledModelInputBufferRequirements(void *, size_t signature, size_t i, void **);
int LiteRtGetCompiledModelOutputBufferRequirements(void *, size_t signature, size_t i, void **);
int LiteRtCreateManagedTensorBufferFromRequirements(void *, const TensorType *, void *, void **);
int LiteRtLockTensorBuffer(void *buffer, void **address, int mode);
int LiteRtUnlockTensorBuffer(void *buffer);
int LiteRtRunCompiledModel(void *, size_t signature, size_t, void **in, size_t, void **out);

/* --- cJSON 1.7 ------------------------------------------------------------------------------ */

typedef struct cJSON cJSON;
cJSON *cJSON_Parse(const char *text);
cJSON *cJSON_GetObjectItemCaseSensitive(const cJSON *object, const char *key);
cJSON *cJSON_GetArrayItem(const cJSON *array, int index);
int cJSON_GetArraySize(const cJSON *array);
char *cJSON_GetStringValue(const cJSON *item);
double cJSON_GetNumberValue(const cJSON *item);
int cJSON_IsNumber(const cJSON *item);
int cJSON_IsTrue(const cJSON *item);
cJSON *cJSON_CreateObject(void);
cJSON *cJSON_CreateArray(void);
cJSON *cJSON_CreateNumber(double value);
cJSON *cJSON_AddStringToObject(cJSON *object, const char *key, const char *value);
cJSON *cJSON_AddNumberToObject(cJSON *object, const char *key, double value);
int cJSON_AddItemToObject(cJSON *object, const char *key, cJSON *item);
int cJSON_AddItemToArray(cJSON *array, cJSON *item);
char *cJSON_PrintUnformatted(const cJSON *item);

/* --- state of the one job ------------------------------------------------------------------- */

#define MAX_TENSORS 64
#define MAX_STEPS 100000

typedef struct {
  const char *name;
  TensorType type;
  size_t bytes;  /* of one slice */
  size_t count;  /* slices: step k reads slice k mod count, or writes slice k */
  size_t offset; /* of slice 0, in the job's tensors or in OUTPUTS.bin */
  int from;      /* input: number of the output fed back into it, or -1 */
  int wanted;    /* output: named by the job */
} Tensor;

static Tensor inputs[MAX_TENSORS], outputs[MAX_TENSORS];
static void *in_buffers[MAX_TENSORS], *out_buffers[MAX_TENSORS];
static size_t n_inputs, n_outputs, signature_index;
static void *environment, *compiled;
static const char *result_path;
static cJSON *result;
static int64_t begin_us;

static int64_t now_us(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Peak resident memory of this program alone; ru_maxrss would include the shell before exec. */
static double peak_rss_bytes(void) {
  char line[256];
  long kib = 0;
  FILE *f = fopen("/proc/self/status", "r");
  if (f == NULL) return 0;
  while (fgets(line, sizeof line, f) != NULL)
    if (sscanf(line, "VmHWM: %ld kB", &kib) == 1) break;
  fclose(f);
  return kib * 1024.0;
}

/* Writes RESULT.json beside its place, renames it there, and ends the process. */
static void finish(const char *status, const char *message) {
  char part[4096];
  cJSON_AddStringToObject(result, "status", status);
  cJSON_AddStringToObject(result, "message", message);
  cJSON_AddNumberToObject(result, "peak_rss_bytes", peak_rss_bytes());
  cJSON_AddNumberToObject(result, "cpu_us", now_us(CLOCK_PROCESS_CPUTIME_ID));
  cJSON_AddNumberToObject(result, "wall_us", now_us(CLOCK_MONOTONIC) - begin_us);
  snprintf(part, sizeof part, "%s.part", result_path);
  char *text = cJSON_PrintUnformatted(result);
  FILE *f = fopen(part, "w");
  int bad = text == NULL || f == NULL || fputs(text, f) < 0;
  if (f != NULL && fclose(f) != 0) bad = 1;
  if (bad || rename(part, result_path) != 0) {
    perror("cannot write the result");
    _exit(4);
  }
  _exit(0);
}

static void fail(const char *status, const char *what, const char *why) {
  char message[512];
  snprintf(message, sizeof message, "%s: %s", what, why);
  finish(status, message);
}

static void out_of_memory(void) { _exit(3); }
extern void (*_ZSt15set_new_handlerPFvvE(void (*handler)(void)))(void); /* std::set_new_handler */

/* LiteRT often hides why it failed; an allocation that fails leaves its mark in errno. */
static void check(int code, const char *status, const char *what) {
  if (code == ALLOCATION_FAILURE || (code != 0 && errno == ENOMEM)) out_of_memory();
  char why[32];
  snprintf(why, sizeof why, "LiteRT status %d", code);
  if (code != 0) fail(status, what, why);
}

/* --- reading the job ------------------------------------------------------------------------ */

/* Maps JOB.bin: eight bytes with the length of its header (little-endian), JSON, tensors. */
static const char *map_job(const char *path, size_t *bytes) {
  struct stat info;
  int fd = open(path, O_RDONLY);
  if (fd < 0 || fstat(fd, &info) != 0 || info.st_size < 8) fail("bad_job", "job", "cannot be read");
  void *file = mmap(NULL, info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (file == MAP_FAILED) out_of_memory();
  close(fd);
  *bytes = info.st_size;
  return file;
}

static cJSON *read_header(const char *file, size_t bytes, size_t *data_at) {
  uint64_t length;
  memcpy(&length, file, sizeof length);
  if (length > bytes - 8 || length > (1 << 20)) fail("bad_job", "header", "has no such length");
  char *text = calloc(1, length + 1);
  if (text == NULL) out_of_memory();
  memcpy(text, file + 8, length);
  cJSON *job = cJSON_Parse(text);
  if (job == NULL) fail("bad_job", "header", "is not JSON");
  free(text);
  *data_at = 8 + length;
  return job;
}

static const cJSON *need(const cJSON *object, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  if (item == NULL) fail("bad_job", key, "is missing");
  return item;
}

static size_t number(const cJSON *object, const char *key, size_t low, size_t high) {
  const cJSON *item = need(object, key);
  double value = cJSON_GetNumberValue(item);
  if (!cJSON_IsNumber(item) || !(value >= low && value <= high))
    fail("bad_job", key, "is not a number in its range");
  return (size_t)value;
}

static const char *text(const cJSON *object, const char *key) {
  const char *value = cJSON_GetStringValue(need(object, key));
  if (value == NULL) fail("bad_job", key, "is not a string");
  return value;
}

/* Keeps this process, and the threads that it starts, to the cores that the job names. */
static void keep_to_cores(const cJSON *job) {
  const cJSON *list = need(job, "cores");
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int i = 0; i < cJSON_GetArraySize(list); i++)
    CPU_SET((int)cJSON_GetNumberValue(cJSON_GetArrayItem(list, i)), &set);
  if (cJSON_GetArraySize(list) > 0 && sched_setaffinity(0, sizeof set, &set) != 0)
    fail("bad_job", "cores", "are not there");
}

/* --- tensors -------------------------------------------------------------------------------- */

/* Names and sizes of LiteRT's element types, by number; a job names them as numpy does. */
static const struct { const char *name; int bytes; } ELEMENTS[] = {
    [1] = {"float32", 4}, [2] = {"int32", 4},    [3] = {"uint8", 1},   [4] = {"int64", 8},
    [6] = {"bool", 1},    [7] = {"int16", 2},    [9] = {"int8", 1},    [10] = {"float16", 2},
    [11] = {"float64", 8}, [13] = {"uint64", 8}, [16] = {"uint32", 4}, [17] = {"uint16", 2}};

static const char *element_name(const Tensor *t) {
  int e = t->type.element;
  int known = e >= 0 && e < (int)(sizeof ELEMENTS / sizeof *ELEMENTS) && ELEMENTS[e].name != NULL;
  if (!known) fail("bad_model", t->name, "has an element type that a job cannot carry");
  return ELEMENTS[e].name;
}

static size_t rank(const Tensor *t) { return t->type.layout.rank_and_flags & 0x7f; }

static void describe(Tensor *t, void *tensor) {
  check(LiteRtGetRankedTensorType(tensor, &t->type), "bad_model", t->name);
  element_name(t);
  t->bytes = ELEMENTS[t->type.element].bytes;
  for (size_t d = 0; d < rank(t); d++) {
    if (t->type.layout.dims[d] < 0) fail("bad_model", t->name, "has no fixed shape");
    if (__builtin_mul_overflow(t->bytes, (size_t)t->type.layout.dims[d], &t->bytes))
      fail("bad_model", t->name, "is larger than memory");
  }
}

static Tensor *find(Tensor *tensors, size_t n, const char *name) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(tensors[i].name, name) == 0) return &tensors[i];
  fail("bad_job", name, "is no tensor of this signature");
  return NULL;
}

static void check_input(Tensor *t, const cJSON *item, size_t file_bytes) {
  const cJSON *shape = need(item, "shape");
  if (strcmp(text(item, "dtype"), element_name(t)) != 0)
    fail("bad_job", t->name, "has another element type in the model");
  if (cJSON_GetArraySize(shape) != (int)rank(t))
    fail("bad_job", t->name, "has another rank in the model");
  for (size_t d = 0; d < rank(t); d++)
    if (cJSON_GetNumberValue(cJSON_GetArrayItem(shape, d)) != t->type.layout.dims[d])
      fail("bad_job", t->name, "has another shape in the model");
  t->offset = number(item, "offset", 0, file_bytes);
  t->count = number(item, "count", 1, MAX_STEPS);
  if (t->bytes != 0 && (file_bytes - t->offset) / t->bytes < t->count)
    fail("bad_job", t->name, "reaches beyond the end of the job");
}

static void plan_inputs(const cJSON *job, size_t file_bytes) {
  const cJSON *list = need(job, "inputs"), *feedback = need(job, "feedback");
  for (size_t i = 0; i < n_inputs; i++) inputs[i].from = -1;
  for (int i = 0; i < cJSON_GetArraySize(list); i++) {
    const cJSON *item = cJSON_GetArrayItem(list, i);
    check_input(find(inputs, n_inputs, text(item, "name")), item, file_bytes);
  }
  for (size_t i = 0; i < n_inputs; i++)
    if (inputs[i].count == 0) fail("bad_job", inputs[i].name, "is an input that the job lacks");
  for (int i = 0; i < cJSON_GetArraySize(feedback); i++) {
    const cJSON *item = cJSON_GetArrayItem(feedback, i);
    Tensor *in = find(inputs, n_inputs, text(item, "input"));
    Tensor *out = find(outputs, n_outputs, text(item, "output"));
    if (in->bytes != out->bytes || in->type.element != out->type.element)
      fail("bad_job", in->name, "cannot take what is fed back to it: another size or type");
    in->from = (int)(out - outputs);
  }
}

static size_t plan_outputs(const cJSON *job, size_t steps) {
  const cJSON *list = need(job, "outputs");
  size_t limit = number(job, "max_output_bytes", 0, (size_t)1 << 40), total = 0;
  cJSON *described = cJSON_CreateArray();
  for (int i = 0; i < cJSON_GetArraySize(list); i++) {
    const cJSON *item = cJSON_GetArrayItem(list, i);
    Tensor *t = find(outputs, n_outputs, text(item, "name"));
    t->wanted = 1;
    t->count = cJSON_IsTrue(need(item, "every")) ? steps : 1;
    t->offset = total;
    size_t bytes;
    if (__builtin_mul_overflow(t->bytes, t->count, &bytes) || bytes > limit - total)
      fail("bad_output", t->name, "makes the outputs larger than max_output_bytes");
    total += bytes;
    cJSON *entry = cJSON_CreateObject(), *shape = cJSON_CreateArray();
    for (size_t d = 0; d < rank(t); d++)
      cJSON_AddItemToArray(shape, cJSON_CreateNumber(t->type.layout.dims[d]));
    cJSON_AddStringToObject(entry, "name", t->name);
    cJSON_AddStringToObject(entry, "dtype", element_name(t));
    cJSON_AddItemToObject(entry, "shape", shape);
    cJSON_AddNumberToObject(entry, "offset", t->offset);
    cJSON_AddNumberToObject(entry, "count", t->count);
    cJSON_AddItemToArray(described, entry);
  }
  cJSON_AddItemToObject(result, "outputs", described);
  return total;
}

/* --- loading and running -------------------------------------------------------------------- */

static void *pick_signature(void *model, const cJSON *job) {
  const char *wanted = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(job, "signature"));
  size_t n = 0;
  check(LiteRtGetNumModelSignatures(model, &n), "bad_model", "signatures");
  for (signature_index = 0; signature_index < n; signature_index++) {
    void *signature;
    const char *key;
    check(LiteRtGetModelSignature(model, signature_index, &signature), "bad_model", "signature");
    check(LiteRtGetSignatureKey(signature, &key), "bad_model", "signature key");
    if (wanted == NULL || strcmp(wanted, key) == 0) return signature;
  }
  fail("bad_job", wanted == NULL ? "signature" : wanted, "is no signature of this model");
  return NULL;
}

static void describe_signature(void *signature) {
  void *tensor;
  check(LiteRtGetNumSignatureInputs(signature, &n_inputs), "bad_model", "inputs");
  check(LiteRtGetNumSignatureOutputs(signature, &n_outputs), "bad_model", "outputs");
  if (n_inputs > MAX_TENSORS || n_outputs > MAX_TENSORS)
    fail("bad_model", "signature", "has more than 64 inputs or outputs");
  for (size_t i = 0; i < n_inputs; i++) {
    check(LiteRtGetSignatureInputName(signature, i, &inputs[i].name), "bad_model", "input");
    check(LiteRtGetSignatureInputTensorByIndex(signature, i, &tensor), "bad_model", "input");
    describe(&inputs[i], tensor);
  }
  for (size_t i = 0; i < n_outputs; i++) {
    check(LiteRtGetSignatureOutputName(signature, i, &outputs[i].name), "bad_model", "output");
    check(LiteRtGetSignatureOutputTensorByIndex(signature, i, &tensor), "bad_model", "output");
    describe(&outputs[i], tensor);
  }
}

static void keep(void *settings) { (void)settings; } /* a static string is never freed */

static void compile(void *model, const cJSON *job) {
  static char settings[64]; /* of the CPU back-end, as TOML */
  void *options, *opaque;
  snprintf(settings, sizeof settings, "num_threads = %zu\n", number(job, "threads", 1, 64));
  check(LiteRtCreateOptions(&options), "failed", "options");
  check(LiteRtSetOptionsHardwareAccelerators(options, ACCELERATOR_CPU), "failed", "options");
  check(LiteRtCreateOpaqueOptions("xnnpack", settings, keep, &opaque), "failed", "options");
  check(LiteRtAddOpaqueOptions(options, opaque), "failed", "options");
  errno = 0;
  check(LiteRtCreateCompiledModel(environment, model, options, &compiled), "bad_model", "compile");
}

static void make_buffer(const Tensor *t, void *requirements, void **buffer) {
  int code = LiteRtCreateManagedTensorBufferFromRequirements(environment, &t->type, requirements,
                                                             buffer);
  check(code, "failed", t->name);
}

static void make_buffers(void) {
  void *wants;
  for (size_t i = 0; i < n_inputs; i++) {
    check(LiteRtGetCompiledModelInputBufferRequirements(compiled, signature_index, i, &wants),
          "failed", inputs[i].name);
    make_buffer(&inputs[i], wants, &in_buffers[i]);
  }
  for (size_t i = 0; i < n_outputs; i++) {
    check(LiteRtGetCompiledModelOutputBufferRequirements(compiled, signature_index, i, &wants),
          "failed", outputs[i].name);
    make_buffer(&outputs[i], wants, &out_buffers[i]);
  }
}

static void fill_input(size_t i, size_t step, const char *file) {
  Tensor *t = &inputs[i];
  void *to, *from;
  if (step > 0 && t->from < 0 && t->count == 1) return; /* still there */
  check(LiteRtLockTensorBuffer(in_buffers[i], &to, FOR_WRITING), "failed", t->name);
  if (step > 0 && t->from >= 0) {
    check(LiteRtLockTensorBuffer(out_buffers[t->from], &from, FOR_READING), "failed", t->name);
    memcpy(to, from, t->bytes);
    LiteRtUnlockTensorBuffer(out_buffers[t->from]);
  } else if (t->bytes > 0) {
    memcpy(to, file + t->offset + step % t->count * t->bytes, t->bytes);
  }
  LiteRtUnlockTensorBuffer(in_buffers[i]);
}

static void save_output(size_t i, size_t step, size_t steps, int fd) {
  Tensor *t = &outputs[i];
  void *from;
  if (!t->wanted || (t->count == 1 && step + 1 < steps)) return;
  size_t done = 0, at = t->offset + (t->count == 1 ? 0 : step * t->bytes);
  check(LiteRtLockTensorBuffer(out_buffers[i], &from, FOR_READING), "failed", t->name);
  while (done < t->bytes) {
    ssize_t n = pwrite(fd, (char *)from + done, t->bytes - done, at + done);
    if (n <= 0) fail("storage_full", t->name, "could not be written");
    done += n;
  }
  LiteRtUnlockTensorBuffer(out_buffers[i]);
}

static void run_steps(size_t steps, const char *file, int fd) {
  cJSON *invoke_us = cJSON_CreateArray();
  cJSON_AddItemToObject(result, "invoke_us", invoke_us);
  for (size_t step = 0; step < steps; step++) {
    for (size_t i = 0; i < n_inputs; i++) fill_input(i, step, file);
    errno = 0;
    int64_t start = now_us(CLOCK_MONOTONIC);
    check(LiteRtRunCompiledModel(compiled, signature_index, n_inputs, in_buffers, n_outputs,
                                 out_buffers),
          "failed", "invoke");
    cJSON_AddItemToArray(invoke_us, cJSON_CreateNumber(now_us(CLOCK_MONOTONIC) - start));
    for (size_t i = 0; i < n_outputs; i++) save_output(i, step, steps, fd);
  }
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: device_job JOB.bin OUTPUTS.bin RESULT.json\n");
    return 2;
  }
  begin_us = now_us(CLOCK_MONOTONIC);
  result_path = argv[3];
  result = cJSON_CreateObject();
  _ZSt15set_new_handlerPFvvE(out_of_memory);
  size_t bytes, data_at;
  const char *file = map_job(argv[1], &bytes);
  const cJSON *job = read_header(file, bytes, &data_at);
  alarm(number(job, "timeout_s", 1, 86400));
  keep_to_cores(job);
  size_t steps = number(job, "steps", 1, MAX_STEPS);

  void *model;
  check(LiteRtCreateEnvironment(0, NULL, &environment), "failed", "environment");
  check(LiteRtCreateModelFromFile(environment, text(job, "model"), &model), "bad_model", "model");
  describe_signature(pick_signature(model, job));
  plan_inputs(job, bytes - data_at);
  size_t output_bytes = plan_outputs(job, steps);
  compile(model, job);
  make_buffers();
  cJSON_AddNumberToObject(result, "load_us", now_us(CLOCK_MONOTONIC) - begin_us);

  int fd = open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ftruncate(fd, output_bytes) != 0) fail("storage_full", "outputs", "no room");
  run_steps(steps, file + data_at, fd);
  if (close(fd) != 0) fail("storage_full", "outputs", "could not be written");
  finish("done", "");
}
