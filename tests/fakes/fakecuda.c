/* A fake libcuda.so.1 whose answers come from environment variables. No GPU, no NVIDIA code.

   FAKE_CUINIT           what cuInit returns (a CUresult; 0)
   FAKE_CUINIT_HANG=1    cuInit never returns
   FAKE_CUINIT_CRASH=1   cuInit dies of SIGSEGV
   FAKE_CUDA_VERSION     12080 for 12.8; -1: cuDriverGetVersion fails
   FAKE_NDEV             devices (1); -1: cuDeviceGetCount fails
   FAKE_NAME FAKE_CC (86 for 8.6) FAKE_MEM_MB FAKE_COMPUTEMODE
                         of every device; with _1 after it, of device 1 alone */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *text(const char *key, const char *otherwise) {
    const char *value = getenv(key);
    return value ? value : otherwise;
}
static const char *text_of(const char *key, int device, const char *otherwise) {
    char own[64];
    snprintf(own, sizeof own, "%s_%d", key, device);
    return text(own, text(key, otherwise));
}
static int number(const char *key, int otherwise) {
    const char *value = getenv(key);
    return value ? atoi(value) : otherwise;
}
static int number_of(const char *key, int device, int otherwise) {
    const char *value = text_of(key, device, NULL);
    return value ? atoi(value) : otherwise;
}

int cuInit(unsigned flags) {
    (void)flags;
    if (number("FAKE_CUINIT_CRASH", 0)) raise(SIGSEGV);
    while (number("FAKE_CUINIT_HANG", 0)) pause();
    return number("FAKE_CUINIT", 0);
}
int cuDriverGetVersion(int *version) {
    *version = number("FAKE_CUDA_VERSION", 12080);
    return *version < 0 ? 1 : 0;
}
int cuDeviceGetCount(int *count) {
    if (number("FAKE_CUINIT", 0)) return 3;
    *count = number("FAKE_NDEV", 1);
    return *count < 0 ? 999 : 0;
}
int cuDeviceGet(int *device, int ordinal) {
    if (ordinal >= number("FAKE_NDEV", 1)) return 101;
    *device = ordinal;
    return 0;
}
int cuDeviceGetName(char *name, int length, int device) {
    snprintf(name, length, "%s", text_of("FAKE_NAME", device, "NVIDIA A10"));
    return 0;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    int capability = number_of("FAKE_CC", device, 86);
    switch (attribute) {
    case 20: *value = number_of("FAKE_COMPUTEMODE", device, 0); break;
    case 75: *value = capability / 10; break;
    case 76: *value = capability % 10; break;
    default: *value = 0;
    }
    return 0;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device) {
    *bytes = (size_t)number_of("FAKE_MEM_MB", device, 24564) << 20;
    return 0;
}

static const struct { int code; const char *name, *words; } ERRORS[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {34, "CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library"},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {304, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS"},
    {802, "CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / cuda driver combination"},
    {804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", "forward compatibility was attempted on non supported HW"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};
#define KNOWN (int)(sizeof ERRORS / sizeof *ERRORS)

int cuGetErrorName(int code, const char **name) {
    for (int i = 0; i < KNOWN; i++)
        if (ERRORS[i].code == code) { *name = ERRORS[i].name; return 0; }
    *name = NULL;
    return 1;
}
int cuGetErrorString(int code, const char **words) {
    for (int i = 0; i < KNOWN; i++)
        if (ERRORS[i].code == code) { *words = ERRORS[i].words; return 0; }
    *words = NULL;
    return 1;
}
