// SPDX-License-Identifier: GPL-2.0-only
/*
 * load: make the kernel run through many of its functions for SECONDS, from
 * several processes: files, directories, sockets, pipes, futexes, signals,
 * fork and exec, poll and epoll, timers, mappings, /proc and /sys.
 *
 *	usage: load SECONDS
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Results are of no interest; the way through the kernel is. */
#define try(expression) ((void)!(expression))

static char buffer[8192];

static void files(void)
{
	char name[32], other[64];
	struct stat status;
	struct statfs fs;
	int fd;

	snprintf(name, sizeof(name), "/tmp/load-%d", getpid());
	snprintf(other, sizeof(other), "%s-b", name);
	fd = open(name, O_RDWR | O_CREAT, 0600);
	try(write(fd, buffer, sizeof(buffer)));
	try(pwrite(fd, buffer, 100, 50000));
	try(pread(fd, buffer, 1000, 10));
	try(flock(fd, LOCK_EX));
	try(fcntl(fd, F_SETLK, &(struct flock){ .l_type = F_WRLCK }));
	try(fsync(fd));
	try(ftruncate(fd, 100));
	try(fallocate(fd, 0, 0, 20000));
	try(fstat(fd, &status));
	try(statfs(name, &fs));
	try(utimensat(AT_FDCWD, name, NULL, 0));
	try(chmod(name, 0644));
	try(rename(name, other));
	try(symlink(other, name));
	try(readlink(name, buffer, sizeof(buffer)));
	try(link(other, "/tmp/load-c"));
	try(unlink("/tmp/load-c"));
	try(unlink(name));
	try(unlink(other));
	close(fd);
	try(mkdir(name, 0700));
	try(rmdir(name));
}

static void read_file(const char *path)
{
	int fd = open(path, O_RDONLY);

	while (fd >= 0 && read(fd, buffer, sizeof(buffer)) > 0)
		;
	close(fd);
}

static void proc_and_sys(void)
{
	static const char *const paths[] = {
		"/proc/self/status",
		"/proc/self/maps",
		"/proc/self/stat",
		"/proc/meminfo",
		"/proc/stat",
		"/proc/loadavg",
		"/proc/mounts",
		"/proc/net/tcp",
		"/proc/net/unix",
		"/proc/interrupts",
		"/proc/vmstat",
		"/proc/self/cgroup",
		"/proc/self/smaps",
		"/proc/uptime",
		"/proc/version",
		"/proc/self/limits",
		"/sys/kernel/uevent_seqnum",
		"/proc/sys/kernel/hostname",
		"/proc/cpuinfo",
	};
	DIR *dir = opendir("/proc");

	while (dir && readdir(dir))
		;
	if (dir)
		closedir(dir);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		read_file(paths[i]);
}

static void pipes_and_events(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct timeval tv = { .tv_usec = 500 };
	int fds[2], epoll, event_fd, timer, notify;
	struct pollfd polled;
	fd_set set;

	try(pipe(fds));
	event_fd = eventfd(0, 0);
	epoll = epoll_create1(0);
	timer = timerfd_create(CLOCK_MONOTONIC, 0);
	notify = inotify_init();
	try(inotify_add_watch(notify, "/tmp", IN_CREATE));
	timerfd_settime(timer, 0, &(struct itimerspec){ .it_value.tv_nsec = 200000 }, NULL);
	epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event);
	epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
	epoll_wait(epoll, &event, 1, 1);
	try(write(fds[1], buffer, 4096));
	polled = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	poll(&polled, 1, 1);
	try(read(fds[0], buffer, 4096));
	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	select(fds[0] + 1, &set, NULL, NULL, &tv);
	try(write(event_fd, &(uint64_t){ 1 }, 8));
	try(read(event_fd, buffer, 8));
	close(fds[0]);
	close(fds[1]);
	close(event_fd);
	close(epoll);
	close(timer);
	close(notify);
}

static void sockets(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int pair[2], listener, client, server, udp;

	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	try(send(pair[0], buffer, 100, 0));
	try(recv(pair[1], buffer, 100, 0));
	close(pair[0]);
	close(pair[1]);

	udp = socket(AF_INET, SOCK_DGRAM, 0);
	bind(udp, (struct sockaddr *)&addr, sizeof(addr));
	getsockname(udp, (struct sockaddr *)&addr, &len);
	try(sendto(udp, buffer, 500, 0, (struct sockaddr *)&addr, sizeof(addr)));
	try(recv(udp, buffer, sizeof(buffer), MSG_DONTWAIT));
	close(udp);

	addr.sin_port = 0;
	listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	bind(listener, (struct sockaddr *)&addr, sizeof(addr));
	listen(listener, 4);
	getsockname(listener, (struct sockaddr *)&addr, &len);
	client = socket(AF_INET, SOCK_STREAM, 0);
	connect(client, (struct sockaddr *)&addr, sizeof(addr));
	server = accept(listener, NULL, NULL);
	try(send(client, buffer, sizeof(buffer), MSG_DONTWAIT));
	try(recv(server, buffer, 4096, MSG_DONTWAIT));
	close(client);
	close(server);
	close(listener);
}

static void on_signal(int signal)
{
	(void)signal;
}

static void signals_and_timers(void)
{
	struct itimerval timer = { .it_value.tv_usec = 300 };
	struct timespec nap = { .tv_nsec = 100000 };
	sigset_t set;

	signal(SIGALRM, on_signal);
	signal(SIGUSR1, on_signal);
	setitimer(ITIMER_REAL, &timer, NULL);
	nanosleep(&nap, NULL);
	kill(getpid(), SIGUSR1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigtimedwait(&set, NULL, &nap);
	sched_yield();
	setpriority(PRIO_PROCESS, 0, 1);
}

static void *futex_thread(void *word)
{
	struct timespec nap = { .tv_nsec = 300000 };

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, &nap, NULL, 0);
	return NULL;
}

static void threads(void)
{
	uint32_t word = 0;
	pthread_t thread;

	if (pthread_create(&thread, NULL, futex_thread, &word))
		return;
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	pthread_join(thread, NULL);
}

static void memory(void)
{
	char *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(map, 1, 100000);
	mprotect(map, 4096, PROT_READ);
	madvise(map, 65536, MADV_DONTNEED);
	map = mremap(map, 1 << 20, 2 << 20, MREMAP_MAYMOVE);
	try(msync(map, 4096, MS_ASYNC));
	munmap(map, 2 << 20);
}

static void system_v(void)
{
	int shm = shmget(IPC_PRIVATE, 8192, 0600), sem = semget(IPC_PRIVATE, 1, 0600);
	void *at = shmat(shm, NULL, 0);
	struct sembuf up = { .sem_op = 1 };

	semop(sem, &up, 1);
	shmdt(at);
	shmctl(shm, IPC_RMID, NULL);
	semctl(sem, 0, IPC_RMID);
}

static void processes(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execl("/bin/busybox", "true", NULL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
}

static void facts(void)
{
	struct utsname name;
	struct sysinfo info;
	struct timeval tv;
	struct tms tms;

	uname(&name);
	sysinfo(&info);
	gettimeofday(&tv, NULL);
	times(&tms);
	try(getcwd(buffer, sizeof(buffer)));
	try(chdir("/tmp"));
	sched_setaffinity(0, 0, NULL);
}

int main(int argc, char **argv)
{
	static void (*const ways[])(void) = {
		files,	 proc_and_sys, pipes_and_events, sockets,   signals_and_timers,
		threads, memory,       system_v,	 processes, facts,
	};
	time_t end = time(NULL) + (argc == 2 ? atoi(argv[1]) : 10);
	unsigned long rounds = 0;

	for (int i = 0; i < 3; i++)
		if (!fork())
			break;
	srandom(getpid());
	for (; time(NULL) < end; rounds++)
		ways[random() % (sizeof(ways) / sizeof(ways[0]))]();
	while (wait(NULL) > 0)
		;
	return 0;
}
