/* LiteRT 2.3 by its C interface (symbols VERS_1.0), for x86_64 and arm64. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime.h"

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

static void *in_buffers[MAX_TENSORS], *out_buffers[MAX_TENSORS];
static TensorType in_types[MAX_TENSORS], out_types[MAX_TENSORS];
static void *environment, *model, *compiled;
static size_t signature_index;
static char settings[64]; /* of the CPU back-end, as TOML */

/* LiteRT often hides why it failed; an allocation that fails leaves its mark in errno. */
static void check(int code, const char *status, const char *what) {
  if (code == ALLOCATION_FAILURE || (code != 0 && errno == ENOMEM)) out_of_memory();
  char why[32];
  snprintf(why, sizeof why, "LiteRT status %d", code);
  if (code != 0) fail(status, what, why);
}

static void *pick_signature(const char *wanted) {
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
}

static void describe(Tensor *t, TensorType *type, void *tensor) {
  check(LiteRtGetRankedTensorType(tensor, type), "bad_model", t->name);
  measure_tensor(t, type->element, type->layout.dims, type->layout.rank_and_flags & 0x7f);
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
    describe(&inputs[i], &in_types[i], tensor);
  }
  for (size_t i = 0; i < n_outputs; i++) {
    check(LiteRtGetSignatureOutputName(signature, i, &outputs[i].name), "bad_model", "output");
    check(LiteRtGetSignatureOutputTensorByIndex(signature, i, &tensor), "bad_model", "output");
    describe(&outputs[i], &out_types[i], tensor);
  }
}

void load_model(const char *path, const char *signature, int threads) {
  snprintf(settings, sizeof settings, "num_threads = %d\n", threads);
  check(LiteRtCreateEnvironment(0, NULL, &environment), "failed", "environment");
  check(LiteRtCreateModelFromFile(environment, path, &model), "bad_model", "model");
  describe_signature(pick_signature(signature));
}

static void make_buffer(const char *name, const TensorType *type, void *wants, void **buffer) {
  check(LiteRtCreateManagedTensorBufferFromRequirements(environment, type, wants, buffer), "failed",
        name);
}

static void make_buffers(void) {
  void *wants;
  for (size_t i = 0; i < n_inputs; i++) {
    check(LiteRtGetCompiledModelInputBufferRequirements(compiled, signature_index, i, &wants),
          "failed", inputs[i].name);
    make_buffer(inputs[i].name, &in_types[i], wants, &in_buffers[i]);
  }
  for (size_t i = 0; i < n_outputs; i++) {
    check(LiteRtGetCompiledModelOutputBufferRequirements(compiled, signature_index, i, &wants),
          "failed", outputs[i].name);
    make_buffer(outputs[i].name, &out_types[i], wants, &out_buffers[i]);
  }
}

static void keep(void *settings) { (void)settings; } /* a static string is never freed */

void prepare_model(void) {
  void *options, *opaque;
  check(LiteRtCreateOptions(&options), "failed", "options");
  check(LiteRtSetOptionsHardwareAccelerators(options, ACCELERATOR_CPU), "failed", "options");
  check(LiteRtCreateOpaqueOptions("xnnpack", settings, keep, &opaque), "failed", "options");
  check(LiteRtAddOpaqueOptions(options, opaque), "failed", "options");
  errno = 0;
  check(LiteRtCreateCompiledModel(environment, model, options, &compiled), "bad_model", "compile");
  make_buffers();
}

static void *open_buffer(void *buffer, int mode, const char *name) {
  void *address;
  check(LiteRtLockTensorBuffer(buffer, &address, mode), "failed", name);
  return address;
}

void *open_input(size_t i) { return open_buffer(in_buffers[i], FOR_WRITING, inputs[i].name); }
void *open_output(size_t i) { return open_buffer(out_buffers[i], FOR_READING, outputs[i].name); }
void close_input(size_t i) { LiteRtUnlockTensorBuffer(in_buffers[i]); }
void close_output(size_t i) { LiteRtUnlockTensorBuffer(out_buffers[i]); }

void invoke_model(void) {
  errno = 0;
  check(LiteRtRunCompiledModel(compiled, signature_index, n_inputs, in_buffers, n_outputs,
                               out_buffers),
        "failed", "invoke");
}
