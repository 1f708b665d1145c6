// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/session.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "kernel/btf.h"
#include "kernel/elfmem.h"
#include "kernel/overlay.h"
#include "probe/kmem.h"
#include "source/live.h"
#include "util/log.h"

/* libbpf's words may be a verifier log of many lines. */
static int log_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	kc_auto_free char *text = NULL;

	(void)level;
	if (kc_log_get_level() < KC_LOG_LIBRARY || vasprintf(&text, format, args) < 0)
		return 0;
	for (char *line = text, *end; *line; line = end) {
		end = line + strcspn(line, "\n");
		kc_log(KC_LOG_LIBRARY, "%.*s", (int)(end - line), line);
		end += *end == '\n';
	}
	return 0;
}

/* Task numbers in BPF are the initial namespace's; elsewhere they would name others. */
static bool in_initial_pid_namespace(void)
{
	char name[64];
	ssize_t len = readlink("/proc/self/ns/pid", name, sizeof(name) - 1);

	name[len < 0 ? 0 : len] = '\0';
	return len < 0 || !strcmp(name, "pid:[4026531836]"); /* PROC_PID_INIT_INO */
}

static bool is_confidential(void)
{
	kc_auto_file FILE *file = fopen("/sys/kernel/security/lockdown", "re");
	char line[128];

	return file && fgets(line, sizeof(line), file) && strstr(line, "[confidentiality]");
}

static int open_file(const char *path, struct kc_failure *ret_failure, struct kc_mem **ret_mem)
{
	int err = kc_elfmem_open(path, ret_mem);

	if (!err)
		return 0;
	return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, err, "cannot read %s: %s", path,
		       err == -EINVAL ? "not a 64-bit ELF file" : kc_strerror(err));
}

/* What no other way to read the kernel's memory would mend. */
static int check_host(struct kc_failure *ret_failure)
{
	if (access(KC_BTF_PATH, R_OK))
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, -errno,
			       "no type information at " KC_BTF_PATH
			       " (%s): kcanary needs a kernel built with CONFIG_DEBUG_INFO_BTF",
			       kc_strerror(errno));
	if (!in_initial_pid_namespace())
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, -ENOTSUP,
			       "this is a pid namespace of its own: run kcanary in the host's "
			       "(docker run --pid=host), or it would confuse one process with "
			       "another");
	if (is_confidential())
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, -EPERM,
			       "this kernel is locked down for confidentiality: nothing may read "
			       "kernel stacks, so there is nothing kcanary could do here");
	return 0;
}

static int open_live(bool kcore, struct kc_failure *ret_failure, struct kc_mem **ret_mem)
{
	int err = check_host(ret_failure);

	if (err)
		return err;
	if (kcore)
		return open_file("/proc/kcore", ret_failure, ret_mem);
	err = kc_kmem_open(ret_mem);
	if (err == -EPERM || err == -EACCES)
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, err,
			       "not permitted to load BPF programs: run as root, or with CAP_BPF, "
			       "CAP_PERFMON and CAP_SYSLOG (before v5.11 CAP_SYS_RESOURCE, too)");
	if (err)
		return kc_fail(
			ret_failure, KC_EXIT_CANNOT_RUN, err,
			"this kernel can't run kcanary's BPF programs (%s): it needs raw "
			"tracepoint programs that can be run on request, Linux 5.10 or later",
			kc_strerror(err));
	return 0;
}

int kc_session_open(const struct kc_origin *source, struct kc_failure *ret_failure,
		    struct kc_session *ret_session)
{
	struct kc_session session = {};
	int err;

	libbpf_set_print(log_libbpf);
	err = source->vmlinux ? open_file(source->vmlinux, ret_failure, &session.mem)
			      : open_live(source->kcore, ret_failure, &session.mem);
	if (err)
		return err;
	if (kc_overlay_new(session.mem, &session.mem))
		return kc_fail_nomem(ret_failure);
	session.modules_hash = source->vmlinux ? 0 : kc_modules_hash();
	err = kc_kernel_load(session.mem, source->kallsyms ?: KC_KALLSYMS_PATH,
			     source->vmlinux ?: KC_BTF_PATH, ret_failure, &session.kernel);
	if (!err && !source->vmlinux &&
	    kc_overlay_learn(session.mem, &session.kernel->kprobes) == -ENOENT)
		kc_debug("this kernel does not tell what its kprobes have replaced");
	if (!err && kc_plans_new(session.kernel, &session.plans))
		err = kc_fail_nomem(ret_failure);
	if (err) {
		kc_session_close(&session);
		return err;
	}
	*ret_session = session;
	ret_session->lent = session.kernel;
	return 0;
}

static void free_facts(struct kc_session *session)
{
	kc_plans_free(session->plans);
	kc_kernel_free(session->kernel);
}

void kc_session_close(struct kc_session *session)
{
	free_facts(session);
	kc_seen_free(&session->seen);
	kc_mem_destroy(session->mem);
	*session = (struct kc_session){};
}

/* Whoever has borrowed the kernel before now may still be reading the old one. */
static void wait_for_borrowers(const struct kc_session *session)
{
	const struct timespec nap = { .tv_nsec = 1000000 };

	for (size_t i = 0; i < KC_BORROWERS; i++)
		while (session->borrowed[i])
			nanosleep(&nap, NULL);
}

int kc_session_adopt(struct kc_session *session, struct kc_kernel *kernel)
{
	struct kc_plans *plans;
	int err = kc_plans_new(kernel, &plans);

	if (err) {
		kc_kernel_free(kernel);
		return err;
	}
	session->lent = kernel;
	wait_for_borrowers(session);
	if (session->kernel)
		kc_seen_follow(&session->seen, session->kernel, kernel);
	free_facts(session);
	session->kernel = kernel;
	session->plans = plans;
	return 0;
}

/* Sequentially consistent: either a reload sees that it is borrowed, or we see the new one. */
const struct kc_kernel *kc_session_borrow(struct kc_session *session, unsigned int borrower)
{
	session->borrowed[borrower] = true;
	return session->lent;
}

void kc_session_return(struct kc_session *session, unsigned int borrower)
{
	session->borrowed[borrower] = false;
}

static struct kc_stack stack_of(const struct kc_record *record)
{
	return (struct kc_stack){
		.sp = record->sp,
		.top = record->top,
		.words = (const uint64_t *)(record + 1),
		.returns = kc_record_returns(record),
	};
}

bool kc_session_renew(struct kc_session *session, const struct kc_record *record)
{
	const struct kc_stack stack = stack_of(record);

	return kc_renew_stack(session->kernel, session->plans, &stack, NULL);
}

void kc_session_check(struct kc_session *session, const struct kc_record *record,
		      struct kc_checked_stack *ret_checked)
{
	const struct kc_stack stack = stack_of(record);

	kc_check_stack(session->kernel, session->plans, &session->seen, &stack, NULL, ret_checked);
}
