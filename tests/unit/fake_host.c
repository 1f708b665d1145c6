// SPDX-License-Identifier: GPL-2.0-only
#include "fake_host.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __real_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
int __real_stat(const char *path, struct stat *status);
int __wrap_stat(const char *path, struct stat *status);

ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __real_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

void (*fake_on_short_write)(void);
void (*fake_on_truncate)(void);
void (*fake_on_sync)(int fd);

static _Atomic unsigned int passed; /* seconds */
static _Atomic uint64_t cpu_ms;
static _Atomic bool fake_cpu, stands;
static _Atomic uint64_t naps, module;

void fake_time_passes(unsigned int seconds)
{
	passed += seconds;
}

void fake_time_stands(bool still)
{
	stands = still;
}

void fake_cpu_is_used(unsigned int ms)
{
	fake_cpu = true;
	cpu_ms += ms;
}

void fake_cpu_is_real(void)
{
	fake_cpu = false;
}

void fake_module_is(uint64_t inode)
{
	module = inode;
}

uint64_t fake_naps(void)
{
	return naps;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	int err = __real_clock_gettime(clock, time);

	if (clock == CLOCK_MONOTONIC && stands)
		*time = (struct timespec){ 1000, 0 };
	if (clock == CLOCK_MONOTONIC)
		time->tv_sec += passed;
	if (clock == CLOCK_PROCESS_CPUTIME_ID && fake_cpu)
		*time = (struct timespec){ cpu_ms / 1000, cpu_ms % 1000 * 1000000 };
	return err;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
	naps++;
	return __real_nanosleep(time, left);
}

int __wrap_stat(const char *path, struct stat *status)
{
	if (strcmp(path, "/sys/module/fakemod"))
		return __real_stat(path, status);
	*status = (struct stat){ .st_ino = module };
	errno = ENOENT;
	return module ? 0 : -1;
}

ssize_t __wrap_write(int fd, const void *data, size_t len)
{
	ssize_t wrote = __real_write(fd, data, len);
	void (*call)(void) = fake_on_short_write;

	if (!call || wrote <= 0 || (size_t)wrote == len)
		return wrote;
	fake_on_short_write = NULL;
	call();
	return wrote;
}

int __wrap_ftruncate(int fd, off_t size)
{
	void (*call)(void) = fake_on_truncate;

	fake_on_truncate = NULL;
	if (call)
		call();
	return __real_ftruncate(fd, size);
}

int __wrap_fdatasync(int fd)
{
	if (fake_on_sync)
		fake_on_sync(fd);
	return __real_fdatasync(fd);
}
