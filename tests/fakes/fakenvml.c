/* A fake libnvidia-ml.so.1 whose answers come from environment variables. No GPU, no NVIDIA code.

   FAKE_NVML_INIT        what nvmlInit returns (an nvmlReturn_t; 0)
   FAKE_NVML_HANG=1      nvmlInit never returns
   FAKE_NVML_CRASH=1     nvmlInit dies of SIGSEGV
   FAKE_DRIVER FAKE_CUDA_VERSION (12080 for 12.8) FAKE_NDEV
   Of every GPU, or with _1 after it of GPU 1 alone; "none" or -1 where it says so: NVML_ERROR_NOT_SUPPORTED:
   FAKE_HANDLE           what nvmlDeviceGetHandleByIndex returns (0)
   FAKE_LOST             what everything that asks the GPU itself returns (0; 15: GPU is lost)
   FAKE_NAME FAKE_CC (86 for 8.6) FAKE_MEM_MB (-1) FAKE_USED_MB FAKE_RESERVED_MB
   FAKE_PCIE_W FAKE_PCIE_WMAX FAKE_PCIE_G FAKE_PCIE_GMAX
   FAKE_POWER_MW FAKE_POWER_LIMIT_MW FAKE_POWER_DEFAULT_MW (-1) FAKE_TEMP (-1) FAKE_UTILIZATION (-1)
   FAKE_SM_CLOCK FAKE_SM_CLOCK_MAX FAKE_MEM_CLOCK FAKE_MEM_CLOCK_MAX FAKE_BUS_BITS (-1)
   FAKE_THROTTLE         clock event reasons, 0x40
   FAKE_ECC (-1)         0 or 1; FAKE_ECC_UNC
   FAKE_REMAP_C FAKE_REMAP_U FAKE_REMAP_PENDING FAKE_REMAP_FAIL
   FAKE_MIG (-1)         0 or 1; FAKE_MIG_INSTANCES, FAKE_MIG_ERROR (6: not found)
   FAKE_COMPUTEMODE FAKE_PM FAKE_VIRTUALIZATION (-1)
   FAKE_FABRIC_STATE (-1)
   FAKE_PROCESSES FAKE_GRAPHICS_PROCESSES    "PID:MB,PID:MB"; MB -1: not told
   FAKE_PROCESS_NAME     of every process
   FAKE_THERMAL_MS (0)   for how long heat held the clock back from one question to the next

   Compiled with -DOLD_DRIVER it lacks what drivers of about R470 lack. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void *device_t;
typedef unsigned int u32;
typedef unsigned long long u64;
enum { OK = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };

static const char *text(const char *key, const char *otherwise) {
    const char *value = getenv(key);
    return value ? value : otherwise;
}
static const char *text_of(const char *key, int gpu, const char *otherwise) {
    char own[64];
    snprintf(own, sizeof own, "%s_%d", key, gpu);
    return text(own, text(key, otherwise));
}
static int number(const char *key, int otherwise) {
    const char *value = getenv(key);
    return value ? atoi(value) : otherwise;
}
static int number_of(const char *key, int gpu, int otherwise) {
    const char *value = text_of(key, gpu, NULL);
    return value ? atoi(value) : otherwise;
}
/* A handle is the GPU's index + 1, that of a MIG device 100 more for each of its parent's. */
static int gpu_of(device_t device) { return (int)((size_t)device - 1) % 100; }

/* One number of a GPU: -1 in the environment is NOT_SUPPORTED. */
static int give(device_t device, const char *key, int otherwise, u32 *value) {
    int gpu = gpu_of(device), lost = number_of("FAKE_LOST", gpu, 0), found = number_of(key, gpu, otherwise);
    if (lost) return lost;
    if (found < 0) return NOT_SUPPORTED;
    *value = (u32)found;
    return OK;
}

int nvmlInit_v2(void) {
    if (number("FAKE_NVML_CRASH", 0)) raise(SIGSEGV);
    while (number("FAKE_NVML_HANG", 0)) pause();
    return number("FAKE_NVML_INIT", 0);
}
int nvmlInit(void) { return nvmlInit_v2(); }
int nvmlInitWithFlags(u32 flags) { (void)flags; return nvmlInit_v2(); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) {
    switch (code) {
    case 0: return "Success";
    case 1: return "Uninitialized";
    case 2: return "Invalid Argument";
    case 3: return "Not Supported";
    case 4: return "Insufficient Permissions";
    case 6: return "Not Found";
    case 9: return "Driver Not Loaded";
    case 12: return "NVML Shared Library Not Found";
    case 15: return "GPU is lost";
    case 16: return "GPU requires reset";
    case 17: return "The operating system has blocked the request";
    case 18: return "Driver/library version mismatch";
    }
    return "Unknown Error";
}

int nvmlSystemGetDriverVersion(char *version, u32 length) {
    if (number("FAKE_NVML_INIT", 0)) return 1;
    snprintf(version, length, "%s", text("FAKE_DRIVER", "570.124.06"));
    return OK;
}
int nvmlSystemGetNVMLVersion(char *version, u32 length) {
    snprintf(version, length, "12.%s", text("FAKE_DRIVER", "570.124.06"));
    return OK;
}
int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    *version = number("FAKE_CUDA_VERSION", 12080);
    return OK;
}
int nvmlSystemGetCudaDriverVersion(int *version) { return nvmlSystemGetCudaDriverVersion_v2(version); }
int nvmlSystemGetProcessName(u32 pid, char *name, u32 length) {
    (void)pid;
    if (!getenv("FAKE_PROCESS_NAME")) return NOT_FOUND;
    snprintf(name, length, "%s", getenv("FAKE_PROCESS_NAME"));
    return OK;
}

int nvmlDeviceGetCount_v2(u32 *count) { *count = (u32)number("FAKE_NDEV", 1); return OK; }
int nvmlDeviceGetHandleByIndex_v2(u32 index, device_t *device) {
    *device = (device_t)(size_t)(index + 1);
    return number_of("FAKE_HANDLE", (int)index, 0);
}
int nvmlDeviceGetName(device_t device, char *name, u32 length) {
    snprintf(name, length, "%s", text_of("FAKE_NAME", gpu_of(device), "NVIDIA A10"));
    return OK;
}
int nvmlDeviceGetUUID(device_t device, char *uuid, u32 length) {
    size_t handle = (size_t)device;
    snprintf(uuid, length, "%s-00000000-0000-0000-0000-%012zu", handle > 100 ? "MIG" : "GPU", handle);
    return OK;
}
int nvmlDeviceGetCudaComputeCapability(device_t device, int *major, int *minor) {
    int capability = number_of("FAKE_CC", gpu_of(device), 86);
    *major = capability / 10;
    *minor = capability % 10;
    return OK;
}
struct pci { char legacy[16]; u32 domain, bus, device, device_id, subsystem; char bus_id[32]; };
int nvmlDeviceGetPciInfo_v3(device_t device, struct pci *pci) {
    memset(pci, 0, sizeof *pci);
    snprintf(pci->bus_id, sizeof pci->bus_id, "00000000:%02X:00.0", (u32)gpu_of(device) * 16 + 10);
    return OK;
}

struct memory { u64 total, free, used; };
int nvmlDeviceGetMemoryInfo(device_t device, struct memory *memory) {
    u32 total;
    int gpu = gpu_of(device), code = give(device, "FAKE_MEM_MB", 24564, &total);
    if (code) return code;
    memory->total = (u64)total << 20;
    memory->used = (u64)(number_of("FAKE_USED_MB", gpu, 300) + number_of("FAKE_RESERVED_MB", gpu, 400)) << 20;
    memory->free = memory->total - memory->used;
    return OK;
}
#ifndef OLD_DRIVER
struct memory_v2 { u32 version; u64 total, reserved, free, used; };
int nvmlDeviceGetMemoryInfo_v2(device_t device, struct memory_v2 *memory) {
    struct memory first;
    int gpu = gpu_of(device), code = nvmlDeviceGetMemoryInfo(device, &first);
    if (memory->version != 0x02000028) return 25; /* NVML_ERROR_ARGUMENT_VERSION_MISMATCH */
    if (code) return code;
    memory->total = first.total;
    memory->free = first.free;
    memory->reserved = (u64)number_of("FAKE_RESERVED_MB", gpu, 400) << 20;
    memory->used = first.used - memory->reserved;
    return OK;
}
#endif

#define NUMBER(function, key, otherwise) \
    int function(device_t device, u32 *value) { return give(device, key, otherwise, value); }
NUMBER(nvmlDeviceGetCurrPcieLinkWidth, "FAKE_PCIE_W", 16)
NUMBER(nvmlDeviceGetMaxPcieLinkWidth, "FAKE_PCIE_WMAX", 16)
NUMBER(nvmlDeviceGetCurrPcieLinkGeneration, "FAKE_PCIE_G", 4)
NUMBER(nvmlDeviceGetMaxPcieLinkGeneration, "FAKE_PCIE_GMAX", 4)
NUMBER(nvmlDeviceGetPowerUsage, "FAKE_POWER_MW", 55250)
NUMBER(nvmlDeviceGetPowerManagementLimit, "FAKE_POWER_LIMIT_MW", 150000)
NUMBER(nvmlDeviceGetPowerManagementDefaultLimit, "FAKE_POWER_DEFAULT_MW", 150000)
NUMBER(nvmlDeviceGetComputeMode, "FAKE_COMPUTEMODE", 0)
NUMBER(nvmlDeviceGetPersistenceMode, "FAKE_PM", 0)
NUMBER(nvmlDeviceGetVirtualizationMode, "FAKE_VIRTUALIZATION", 0)
#ifndef OLD_DRIVER
NUMBER(nvmlDeviceGetEnforcedPowerLimit, "FAKE_POWER_LIMIT_MW", 150000)
NUMBER(nvmlDeviceGetMemoryBusWidth, "FAKE_BUS_BITS", 384)
#endif

int nvmlDeviceGetTemperature(device_t device, int sensor, u32 *celsius) {
    return sensor ? INVALID_ARGUMENT : give(device, "FAKE_TEMP", 40, celsius);
}
int nvmlDeviceGetClockInfo(device_t device, int type, u32 *mhz) {
    if (type == 1) return give(device, "FAKE_SM_CLOCK", 210, mhz);
    return type == 2 ? give(device, "FAKE_MEM_CLOCK", 405, mhz) : INVALID_ARGUMENT;
}
int nvmlDeviceGetMaxClockInfo(device_t device, int type, u32 *mhz) {
    if (type == 1) return give(device, "FAKE_SM_CLOCK_MAX", 1695, mhz);
    return type == 2 ? give(device, "FAKE_MEM_CLOCK_MAX", 6251, mhz) : INVALID_ARGUMENT;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, device_t *device) {
    for (size_t gpu = 0; gpu < (size_t)number("FAKE_NDEV", 1); gpu++) {
        char own[48];
        nvmlDeviceGetUUID((device_t)(gpu + 1), own, sizeof own);
        if (strcmp(own, uuid) == 0) return nvmlDeviceGetHandleByIndex_v2((u32)gpu, device);
    }
    return NOT_FOUND;
}
struct violation { u64 reference_us, violated_ns; };
int nvmlDeviceGetViolationStatus(device_t device, int policy, struct violation *violation) {
    static u64 asked;
    asked += policy == 1;
    violation->reference_us = 0;
    violation->violated_ns = policy == 1 ? asked * (u64)number_of("FAKE_THERMAL_MS", gpu_of(device), 0) * 1000000 : 0;
    return OK;
}
int nvmlDeviceGetTotalEnergyConsumption(device_t device, u64 *millijoules) {
    (void)device;
    *millijoules = 1000;
    return OK;
}
struct utilization { u32 gpu, memory; };
int nvmlDeviceGetUtilizationRates(device_t device, struct utilization *rates) {
    rates->memory = 0;
    return give(device, "FAKE_UTILIZATION", 0, &rates->gpu);
}
int nvmlDeviceGetCurrentClocksThrottleReasons(device_t device, u64 *reasons) {
    *reasons = strtoull(text_of("FAKE_THROTTLE", gpu_of(device), "0"), NULL, 0);
    return number_of("FAKE_LOST", gpu_of(device), 0);
}
#ifndef OLD_DRIVER
int nvmlDeviceGetCurrentClocksEventReasons(device_t device, u64 *reasons) {
    return nvmlDeviceGetCurrentClocksThrottleReasons(device, reasons);
}
#endif

int nvmlDeviceGetEccMode(device_t device, u32 *now, u32 *pending) {
    int code = give(device, "FAKE_ECC", 1, now);
    *pending = *now;
    return code;
}
int nvmlDeviceGetTotalEccErrors(device_t device, int type, int counter, u64 *count) {
    int gpu = gpu_of(device);
    (void)counter;
    if (number_of("FAKE_ECC", gpu, 1) != 1) return NOT_SUPPORTED;
    *count = type ? (u64)number_of("FAKE_ECC_UNC", gpu, 0) : 0;
    return number_of("FAKE_LOST", gpu, 0);
}
int nvmlDeviceGetRemappedRows(device_t device, u32 *corrected, u32 *uncorrected, u32 *pending, u32 *failed) {
    int code = give(device, "FAKE_REMAP_C", 0, corrected);
    give(device, "FAKE_REMAP_U", 0, uncorrected);
    give(device, "FAKE_REMAP_PENDING", 0, pending);
    give(device, "FAKE_REMAP_FAIL", 0, failed);
    return code;
}

int nvmlDeviceGetMigMode(device_t device, u32 *now, u32 *pending) {
    int code = give(device, "FAKE_MIG", -1, now);
    *pending = *now;
    return code;
}
int nvmlDeviceGetMaxMigDeviceCount(device_t device, u32 *count) { (void)device; *count = 7; return OK; }
int nvmlDeviceGetMigDeviceHandleByIndex(device_t device, u32 index, device_t *mig) {
    if ((int)index >= number_of("FAKE_MIG_INSTANCES", gpu_of(device), 0))
        return number_of("FAKE_MIG_ERROR", gpu_of(device), NOT_FOUND);
    *mig = (device_t)((size_t)device + 100 * (index + 1));
    return OK;
}

#ifndef OLD_DRIVER
struct fabric { u32 version; unsigned char cluster[16]; int status; u32 clique; u32 state; u32 health; };
int nvmlDeviceGetGpuFabricInfoV(device_t device, struct fabric *fabric) {
    if (fabric->version != 0x02000024) return 25; /* NVML_ERROR_ARGUMENT_VERSION_MISMATCH */
    return give(device, "FAKE_FABRIC_STATE", -1, &fabric->state);
}
#endif

struct process { u32 pid; u64 bytes; u32 gpu_instance, compute_instance; };
static int processes(device_t device, const char *key, u32 *room, struct process *found) {
    const char *rest = text_of(key, gpu_of(device), "");
    u32 count = 0;
    int pid, length;
    long long megabytes;
    while (sscanf(rest, "%d:%lld%n", &pid, &megabytes, &length) == 2) {
        if (found && count < *room) {
            struct process one = {(u32)pid, megabytes < 0 ? ~0ULL : (u64)megabytes << 20, ~0U, ~0U};
            found[count] = one;
        }
        count++;
        rest += length;
        if (*rest == ',') rest++;
    }
    length = count > *room;
    *room = count;
    return length ? INSUFFICIENT_SIZE : OK;
}
int nvmlDeviceGetComputeRunningProcesses_v3(device_t device, u32 *room, struct process *found) {
    return processes(device, "FAKE_PROCESSES", room, found);
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(device_t device, u32 *room, struct process *found) {
    return processes(device, "FAKE_GRAPHICS_PROCESSES", room, found);
}
