/* TensorFlow Lite 2.14 by its C++ interface, for 32-bit ARM: LiteRT has no package for that.
 *
 * The Python package's library has all of the interpreter and exports it by its C++ names. Layouts
 * are those of 32-bit ARM (AAPCS, Itanium C++ ABI): of TfLiteTensor, a C struct of the runtime's
 * public interface, and of the members of SignatureRunner before its last.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime.h"

/* What the library's Python half looks up when it is loaded. Nothing here calls that half, and
 * functions are looked up at their first call only, so that they need not be there. */
#define OBJECT(name) char name[sizeof(void *)] __attribute__((visibility("default")))
OBJECT(PyBaseObject_Type); OBJECT(PyByteArray_Type); OBJECT(PyCFunction_Type);
OBJECT(PyCapsule_Type); OBJECT(PyDict_Type); OBJECT(PyFloat_Type); OBJECT(PyInstanceMethod_Type);
OBJECT(PyMethod_Type); OBJECT(PyModule_Type); OBJECT(PyProperty_Type); OBJECT(PyType_Type);
OBJECT(PyExc_AttributeError); OBJECT(PyExc_BufferError); OBJECT(PyExc_ImportError);
OBJECT(PyExc_IndexError); OBJECT(PyExc_MemoryError); OBJECT(PyExc_OverflowError);
OBJECT(PyExc_RuntimeError); OBJECT(PyExc_SystemError); OBJECT(PyExc_TypeError);
OBJECT(PyExc_ValueError); OBJECT(_Py_FalseStruct); OBJECT(_Py_NoneStruct);
OBJECT(_Py_NotImplementedStruct); OBJECT(_Py_TrueStruct);
OBJECT(PyObject_GenericGetDict); OBJECT(PyObject_GenericSetDict);

typedef struct { int size, data[]; } IntArray;

typedef struct {
  int type;
  void *data;
  IntArray *dims;
  struct { float scale; int32_t zero_point; } params;
  int allocation_type;
  size_t bytes;
  const void *allocation;
  const char *name;
  void *delegate;
  int buffer_handle;
  _Bool data_is_stale, is_variable;
  struct { int type; void *params; } quantization;
  void *sparsity;
  const IntArray *dims_signature;
} TfLiteTensor;

typedef struct {
  const char **begin, **end, **room;
} Names;

typedef struct {
  const void *definition;
  void *subgraph;
  Names inputs, outputs; /* std::vector<const char *> */
} SignatureRunner;

/* Returned objects that are not trivial are written where the first argument points. */
void *DefaultErrorReporter(void) __asm__("_ZN6tflite20DefaultErrorReporterEv");
void VerifyAndBuildFromFile(void **model, const char *path, void *verifier, void *reporter) __asm__(
    "_ZN6tflite4impl15FlatBufferModel22VerifyAndBuildFromFile"
    "EPKcPNS_14TfLiteVerifierEPNS_13ErrorReporterE");
void BuiltinOpResolver(void *self) __asm__("_ZN6tflite3ops7builtin17BuiltinOpResolverC1Ev");
void InterpreterBuilder(void *self, void *model, void *resolver, void *options) __asm__(
    "_ZN6tflite4impl18InterpreterBuilderC1"
    "ERKNS0_15FlatBufferModelERKNS_10OpResolverEPKNS_18InterpreterOptionsE");
int SetNumThreads(void *builder, int threads) __asm__(
    "_ZN6tflite4impl18InterpreterBuilder13SetNumThreadsEi");
int Build(void *builder, void **interpreter) __asm__(
    "_ZN6tflite4impl18InterpreterBuilderclEPSt10unique_ptrINS0_11InterpreterESt14default_deleteIS3_EE");
SignatureRunner *GetSignatureRunner(void *interpreter, const char *key) __asm__(
    "_ZN6tflite4impl11Interpreter18GetSignatureRunnerEPKc");
TfLiteTensor *InputTensor(SignatureRunner *self, const char *name) __asm__(
    "_ZN6tflite4impl15SignatureRunner12input_tensorEPKc");
TfLiteTensor *OutputTensor(SignatureRunner *self, const char *name) __asm__(
    "_ZNK6tflite4impl15SignatureRunner13output_tensorEPKc");
int AllocateTensors(void *subgraph) __asm__("_ZN6tflite8Subgraph15AllocateTensorsEv");
int Invoke(SignatureRunner *self) __asm__("_ZN6tflite4impl15SignatureRunner6InvokeEv");

static void *model, *interpreter;
static const char *key;
static SignatureRunner *runner;
/* The resolver (some tables) and the builder (some pointers) have less than a page each. */
static _Alignas(16) char resolver[4096], builder[4096];

static const uint8_t *follow(const uint8_t *at) {
  uint32_t ahead;
  memcpy(&ahead, at, sizeof ahead);
  return at + ahead;
}

static const uint8_t *field(const uint8_t *table, int number) {
  int32_t back;
  uint16_t size, offset;
  memcpy(&back, table, sizeof back);
  const uint8_t *layout = table - back;
  memcpy(&size, layout, sizeof size);
  if (4 + 2 * number >= size) return NULL;
  memcpy(&offset, layout + 4 + 2 * number, sizeof offset);
  return offset == 0 ? NULL : table + offset;
}

/* Returns the vector in field *number* of a table and its length; where there is none, 0. */
static uint32_t vector(const uint8_t *table, int number, const uint8_t **first) {
  uint32_t count;
  const uint8_t *at = field(table, number);
  if (at == NULL) return 0;
  memcpy(&count, follow(at), sizeof count);
  *first = follow(at) + sizeof count;
  return count;
}

static int32_t whole(const uint8_t *at, int number, size_t size) { /* a field that may be left out */
  int32_t value = 0;
  const uint8_t *found = field(at, number);
  if (found != NULL) memcpy(&value, found, size);
  return value;
}

/* Maps a file that the runtime has verified; returns its root, the table Model of the format. */
static const uint8_t *map_model(const char *path) {
  struct stat info;
  int fd = open(path, O_RDONLY);
  if (fd < 0 || fstat(fd, &info) != 0) fail("bad_model", "model", "cannot be read");
  const uint8_t *file = mmap(NULL, info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (file == MAP_FAILED) out_of_memory();
  close(fd);
  return follow(file);
}

/* Returns the key of the first signature: Model.signature_defs (7), SignatureDef.signature_key (2). */
static const char *first_key(const uint8_t *root) {
  const uint8_t *list, *name = NULL;
  if (vector(root, 7, &list) > 0) name = field(follow(list), 2);
  if (name == NULL) fail("bad_job", "signature", "is no signature of this model");
  return (const char *)follow(name) + 4;
}

/* Whether an operator multiplies float32 by int8 that has a scale for each row: what 2.14 takes for
 * one scale, so that it computes zeros and says nothing. */
static int is_misread(const uint8_t *code, const uint8_t *tensors, uint32_t n_tensors,
                      const uint8_t *operator_) {
  const uint8_t *list, *scales;
  int32_t in[2];
  if (whole(code, 0, 1) != 9 || vector(operator_, 1, &list) < 2) return 0; /* FULLY_CONNECTED */
  memcpy(in, list, sizeof in);
  if (in[0] < 0 || in[1] < 0 || in[0] >= (int)n_tensors || in[1] >= (int)n_tensors) return 0;
  const uint8_t *x = follow(tensors + 4 * in[0]), *w = follow(tensors + 4 * in[1]);
  const uint8_t *scale = field(w, 4);                     /* Tensor.quantization */
  int hybrid = whole(x, 1, 1) == 0 && whole(w, 1, 1) == 9; /* Tensor.type: FLOAT32, INT8 */
  return hybrid && scale != NULL && vector(follow(scale), 2, &scales) > 1;
}

static void refuse_misread(const uint8_t *root) {
  const uint8_t *codes, *graphs, *tensors, *operators;
  uint32_t n_codes = vector(root, 1, &codes);
  for (uint32_t n = vector(root, 2, &graphs), g = 0; g < n; g++) {
    const uint8_t *graph = follow(graphs + 4 * g);
    uint32_t n_tensors = vector(graph, 0, &tensors), n_operators = vector(graph, 3, &operators);
    for (uint32_t i = 0; i < n_operators; i++) {
      const uint8_t *one = follow(operators + 4 * i);
      uint32_t code = (uint32_t)whole(one, 0, 4);
      if (code >= n_codes) fail("bad_model", "model", "names an operation that it does not list");
      if (is_misread(follow(codes + 4 * code), tensors, n_tensors, one))
        fail("bad_model", "model", "TensorFlow Lite 2.14 computes dynamic int8 by channel wrongly");
    }
  }
}

static void describe(Tensor *t, const char *name, const TfLiteTensor *tensor) {
  const IntArray *dims = tensor->dims, *told = tensor->dims_signature;
  if (told != NULL && told->size == dims->size) dims = told; /* -1 where the size is not fixed */
  t->name = name;
  measure_tensor(t, tensor->type, dims->data, dims->size);
}

/* The runtime hides why it failed; an allocation that fails leaves its mark in errno. */
static _Noreturn void fail_or_memory(const char *status, const char *what, const char *why) {
  if (errno == ENOMEM) out_of_memory();
  fail(status, what, why);
}

static void build(int threads) {
  errno = 0;
  InterpreterBuilder(builder, model, resolver, NULL);
  interpreter = NULL;
  if (SetNumThreads(builder, threads) != 0 || Build(builder, &interpreter) != 0 || !interpreter)
    fail_or_memory("bad_model", "model", "has an operation that TensorFlow Lite 2.14 lacks");
  runner = GetSignatureRunner(interpreter, key);
  if (runner == NULL) fail("bad_job", key, "is no signature of this model");
}

void load_model(const char *path, const char *signature, int threads) {
  VerifyAndBuildFromFile(&model, path, NULL, DefaultErrorReporter());
  if (model == NULL) fail("bad_model", "model", "is no .tflite file");
  const uint8_t *root = map_model(path);
  refuse_misread(root);
  BuiltinOpResolver(resolver);
  key = signature == NULL ? first_key(root) : signature;
  build(threads);
  n_inputs = runner->inputs.end - runner->inputs.begin;
  n_outputs = runner->outputs.end - runner->outputs.begin;
  if (n_inputs > MAX_TENSORS || n_outputs > MAX_TENSORS)
    fail("bad_model", "signature", "has more than 64 inputs or outputs");
  for (size_t i = 0; i < n_inputs; i++)
    describe(&inputs[i], runner->inputs.begin[i], InputTensor(runner, runner->inputs.begin[i]));
  for (size_t i = 0; i < n_outputs; i++)
    describe(&outputs[i], runner->outputs.begin[i], OutputTensor(runner, runner->outputs.begin[i]));
}

void prepare_model(void) {
  errno = 0;
  if (AllocateTensors(runner->subgraph) != 0)
    fail_or_memory("bad_model", "model", "cannot be prepared");
  for (size_t i = 0; i < n_inputs; i++)
    if (open_input(i) == NULL && inputs[i].bytes > 0)
      out_of_memory();
}

/* The runtime may move its tensors when it computes: their places are asked for each time. */
void *open_input(size_t i) { return InputTensor(runner, inputs[i].name)->data; }
void *open_output(size_t i) { return OutputTensor(runner, outputs[i].name)->data; }
void close_input(size_t i) { (void)i; }
void close_output(size_t i) { (void)i; }

void invoke_model(void) {
  errno = 0;
  if (Invoke(runner) != 0)
    fail_or_memory("failed", "invoke", "TensorFlow Lite gave up; see the log");
}
