// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report/service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/log.h"

struct service {
	struct kc_sink sink;
	int fd;
	struct sockaddr_un address;
	socklen_t address_len;
};

/* A manager that does not listen is no reason to end. */
static void notify(const struct service *service, const char *text)
{
	if (sendto(service->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
		   (const struct sockaddr *)&service->address, service->address_len) < 0)
		kc_debug("$NOTIFY_SOCKET: %s", kc_strerror(errno));
}

static int service_start(struct kc_sink *sink, const struct kc_when *when,
			 const struct kc_start *start)
{
	(void)when;
	(void)start;
	notify((const struct service *)sink, "READY=1\nSTATUS=watching");
	return 0;
}

static void service_alive(struct kc_sink *sink)
{
	notify((const struct service *)sink, "WATCHDOG=1");
}

static int service_stats(struct kc_sink *sink, const struct kc_when *when,
			 const struct kc_coverage *coverage)
{
	char text[200];

	(void)when;
	snprintf(text, sizeof(text),
		 "STATUS=%" PRIu64 " findings, %" PRIu64 " frames verified in %" PRIu64 " passes",
		 coverage->told.findings, coverage->sweep.verified, coverage->sweep.passes);
	notify((const struct service *)sink, text);
	return 0;
}

static int service_stop(struct kc_sink *sink, const struct kc_when *when,
			const struct kc_coverage *coverage, const struct kc_depths *depths,
			const char *why)
{
	(void)when;
	(void)coverage;
	(void)depths;
	(void)why;
	notify((const struct service *)sink, "STOPPING=1");
	return 0;
}

static void service_free(struct kc_sink *sink)
{
	struct service *service = (struct service *)sink;

	close(service->fd);
	free(service);
}

/* "/run/systemd/notify", or with an '@' for the NUL of an abstract one. */
static bool set_address(struct service *service, const char *path)
{
	struct sockaddr_un *address = &service->address;
	size_t len = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || len < 2 || len >= sizeof(address->sun_path))
		return false;
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, len);
	if (path[0] == '@')
		address->sun_path[0] = '\0';
	service->address_len = offsetof(struct sockaddr_un, sun_path) + len;
	return true;
}

struct kc_sink *kc_service_new(void)
{
	static const struct kc_sink_ops ops = {
		.start = service_start,
		.alive = service_alive,
		.stats = service_stats,
		.stop = service_stop,
		.free = service_free,
	};
	const char *path = getenv("NOTIFY_SOCKET");
	struct service *service = path ? calloc(1, sizeof(*service)) : NULL;

	if (!service)
		return NULL;
	service->sink.ops = &ops;
	service->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (service->fd < 0 || !set_address(service, path)) {
		kc_warn("$NOTIFY_SOCKET, '%s', can't be used: the service manager is told nothing",
			path);
		if (service->fd >= 0)
			close(service->fd);
		free(service);
		return NULL;
	}
	return &service->sink;
}
