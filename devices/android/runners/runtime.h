/* What a job needs of a runtime for .tflite models: one file runtime_NAME.c for each. */
#ifndef RUNTIME_H
#define RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#define MAX_TENSORS 64
#define MAX_RANK 8

typedef struct {
  const char *name;
  const char *dtype; /* as numpy calls it */
  size_t rank;
  int32_t dims[MAX_RANK];
  size_t bytes;  /* of one slice */
  size_t count;  /* slices: step k reads slice k mod count, or writes slice k */
  size_t offset; /* of slice 0, in the job's tensors or in OUTPUTS.bin */
  int from;      /* input: number of the output fed back into it, or -1 */
  int wanted;    /* output: named by the job */
} Tensor;

extern Tensor inputs[MAX_TENSORS], outputs[MAX_TENSORS];
extern size_t n_inputs, n_outputs;

/* Each ends the job where it fails; see fail and out_of_memory. */
void load_model(const char *path, const char *signature, int threads); /* NULL: its first one */
void prepare_model(void);
void *open_input(size_t i); /* its bytes, until close_input */
void close_input(size_t i);
void *open_output(size_t i);
void close_output(size_t i);
void invoke_model(void);

/* Of device_job.c: */
_Noreturn void fail(const char *status, const char *what, const char *why);
_Noreturn void out_of_memory(void);
const char *element_name(int element, const char *tensor); /* of the number in the file format */
void measure_tensor(Tensor *t, int element, const int32_t *dims, size_t rank);

#endif
