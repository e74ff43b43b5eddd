/* Runs one job of droidloop on a device: a .tflite model, K steps in one process, no Python.
 *
 *     device_job JOB.bin OUTPUTS.bin RESULT.json
 *
 * The job format is described in runner.py, beside this file. Whatever comes of the job is
 * written to RESULT.json, and the exit status is 0 then; 3 says that memory ran out, and anything
 * else that the runner itself came to grief. SIGALRM ends a job at its time limit (142 in a shell).
 *
 * What runs the model is behind runtime.h. Neither a runtime's nor cJSON's own headers are part of
 * the registry packages that a bundle is made of, so the few functions used are declared where they
 * are used, with the layouts that their binary interfaces fix.
 */
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

#include "runtime.h"

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

#define MAX_STEPS 100000

Tensor inputs[MAX_TENSORS], outputs[MAX_TENSORS];
size_t n_inputs, n_outputs;
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
static _Noreturn void finish(const char *status, const char *message) {
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

void fail(const char *status, const char *what, const char *why) {
  char message[512];
  snprintf(message, sizeof message, "%s: %s", what, why);
  finish(status, message);
}

void out_of_memory(void) { _exit(3); }
extern void (*_ZSt15set_new_handlerPFvvE(void (*handler)(void)))(void); /* std::set_new_handler */

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

/* Names and sizes of the element types of .tflite, by number; a job names them as numpy does. */
static const struct { const char *name; int bytes; } ELEMENTS[] = {
    [1] = {"float32", 4}, [2] = {"int32", 4},    [3] = {"uint8", 1},   [4] = {"int64", 8},
    [6] = {"bool", 1},    [7] = {"int16", 2},    [9] = {"int8", 1},    [10] = {"float16", 2},
    [11] = {"float64", 8}, [13] = {"uint64", 8}, [16] = {"uint32", 4}, [17] = {"uint16", 2}};

const char *element_name(int e, const char *tensor) {
  int known = e >= 0 && e < (int)(sizeof ELEMENTS / sizeof *ELEMENTS) && ELEMENTS[e].name != NULL;
  if (!known) fail("bad_model", tensor, "has an element type that a job cannot carry");
  return ELEMENTS[e].name;
}

/* Gives *t* its type and shape, and the bytes that follow from them. */
void measure_tensor(Tensor *t, int element, const int32_t *dims, size_t rank) {
  t->dtype = element_name(element, t->name);
  t->bytes = ELEMENTS[element].bytes;
  t->rank = rank;
  if (rank > MAX_RANK) fail("bad_model", t->name, "has more than 8 dimensions");
  for (size_t d = 0; d < rank; d++) {
    if (dims[d] < 0) fail("bad_model", t->name, "has no fixed shape");
    if (__builtin_mul_overflow(t->bytes, (size_t)dims[d], &t->bytes))
      fail("bad_model", t->name, "is larger than memory");
    t->dims[d] = dims[d];
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
  if (strcmp(text(item, "dtype"), t->dtype) != 0)
    fail("bad_job", t->name, "has another element type in the model");
  if (cJSON_GetArraySize(shape) != (int)t->rank)
    fail("bad_job", t->name, "has another rank in the model");
  for (size_t d = 0; d < t->rank; d++)
    if (cJSON_GetNumberValue(cJSON_GetArrayItem(shape, d)) != t->dims[d])
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
    if (in->bytes != out->bytes || strcmp(in->dtype, out->dtype) != 0)
      fail("bad_job", in->name, "cannot take what is fed back to it: another size or type");
    in->from = (int)(out - outputs);
  }
}

static size_t plan_outputs(const cJSON *job, size_t steps) {
  const cJSON *list = need(job, "outputs");
  double most = cJSON_GetNumberValue(need(job, "max_output_bytes"));
  if (!(most >= 0)) fail("bad_job", "max_output_bytes", "is not a number in its range");
  size_t limit = most < (double)SIZE_MAX ? (size_t)most : SIZE_MAX, total = 0;
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
    for (size_t d = 0; d < t->rank; d++)
      cJSON_AddItemToArray(shape, cJSON_CreateNumber(t->dims[d]));
    cJSON_AddStringToObject(entry, "name", t->name);
    cJSON_AddStringToObject(entry, "dtype", t->dtype);
    cJSON_AddItemToObject(entry, "shape", shape);
    cJSON_AddNumberToObject(entry, "offset", t->offset);
    cJSON_AddNumberToObject(entry, "count", t->count);
    cJSON_AddItemToArray(described, entry);
  }
  cJSON_AddItemToObject(result, "outputs", described);
  return total;
}

/* --- running --------------------------------------------------------------------------------- */

static void fill_input(size_t i, size_t step, const char *file) {
  Tensor *t = &inputs[i];
  if (step > 0 && t->from < 0 && t->count == 1) return; /* still there */
  void *to = open_input(i);
  if (step > 0 && t->from >= 0) {
    memcpy(to, open_output(t->from), t->bytes);
    close_output(t->from);
  } else if (t->bytes > 0) {
    memcpy(to, file + t->offset + step % t->count * t->bytes, t->bytes);
  }
  close_input(i);
}

static void save_output(size_t i, size_t step, size_t steps, int fd) {
  Tensor *t = &outputs[i];
  if (!t->wanted || (t->count == 1 && step + 1 < steps)) return;
  size_t done = 0, at = t->offset + (t->count == 1 ? 0 : step * t->bytes);
  const char *from = open_output(i);
  while (done < t->bytes) {
    ssize_t n = pwrite(fd, from + done, t->bytes - done, at + done);
    if (n <= 0) fail("storage_full", t->name, "could not be written");
    done += n;
  }
  close_output(i);
}

static void run_steps(size_t steps, const char *file, int fd) {
  cJSON *invoke_us = cJSON_CreateArray();
  cJSON_AddItemToObject(result, "invoke_us", invoke_us);
  for (size_t step = 0; step < steps; step++) {
    for (size_t i = 0; i < n_inputs; i++) fill_input(i, step, file);
    int64_t start = now_us(CLOCK_MONOTONIC);
    invoke_model();
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

  const cJSON *signature = cJSON_GetObjectItemCaseSensitive(job, "signature");
  int threads = (int)number(job, "threads", 1, 64);
  load_model(text(job, "model"), cJSON_GetStringValue(signature), threads);
  plan_inputs(job, bytes - data_at);
  size_t output_bytes = plan_outputs(job, steps);
  prepare_model();
  cJSON_AddNumberToObject(result, "load_us", now_us(CLOCK_MONOTONIC) - begin_us);

  int fd = open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ftruncate(fd, output_bytes) != 0) fail("storage_full", "outputs", "no room");
  run_steps(steps, file + data_at, fd);
  if (close(fd) != 0) fail("storage_full", "outputs", "could not be written");
  finish("done", "");
}
