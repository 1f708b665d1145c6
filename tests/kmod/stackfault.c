// SPDX-License-Identifier: GPL-2.0-only
/*
 * stackfault: damage kernel stack frames the way real bugs do.
 *
 * A test module. It knows nothing of the tool that is tested with it. Its main
 * trick looks for no canary: it writes past the end of an object that lives on a
 * sleeping thread's kernel stack, as an overflow of that object would.
 *
 *   nanosleep  struct hrtimer_sleeper in hrtimer_nanosleep's frame
 *              (first argument of do_nanosleep)
 *   futex      struct futex_q in the futex wait's frame (argument of the
 *              function that queues it and sleeps)
 *
 * Where the objects are is learned by kprobes on the functions they are handed
 * to, while the thread runs; the write comes later, from whoever writes
 *
 *   echo "overflow nanosleep TID BYTES" > /sys/kernel/debug/stackfault
 *
 * and only if that thread still sleeps below the object. Other writes, for tests
 * that go through a stack word by word; N counts from SP up, from 0:
 *
 *   canary TID N     turn around the Nth word that holds the thread's canary,
 *                    whether it is a slot or a stale copy
 *   plant TID N WHAT what `canary` chooses: put there a pointer into slab (kmalloc-64), page,
 *                    percpu (cpu_info), vmalloc or static (init_uts_ns), stack or task of who
 *                    writes this, or its canary; or change it: bit (one), decrement (by 3), zero,
 *                    byte (the lowest one), same (not at all)
 *   return TID N     zero the Nth word that looks like a return address
 *   reroute TID FUNC put the return address of a caller in the place of the first one that
 *                    leads into FUNC and is as it was
 *   end TID          the stack's lowest word, where STACK_END_MAGIC is
 *   restore          undo all writes
 *   restore N        the last N of them
 *   smash BYTES      write that many past a buffer of the running function
 *                    stackfault_smash(), and return from it: the end
 *   twin BYTES     the same in stackfault_twin()
 *   toil MS BYTES    write that many past a buffer of the running function
 *                    stackfault_toil(), compute for so long or until killed, mend it, and
 *                    return
 *   framed           come to the end of stackfault_framed(), which checks its canary, on the
 *                    frame of stackfault_unframed(): the end
 *   recurse BYTES    call stackfault_recurse() until its stack is that deep, and
 *                    msleep() there; the kernel's log tells the depths at the last
 *                    entries of both
 *   linger FRAMES    call stackfault_linger() so many times, and sleep there until killed
 *   dive BYTES       call stackfault_dive() until no more than that is left of the
 *                    stack at its entry, and come back
 *   hook slot|guard OFFSET DISP
 *                    at stackfault_checked()+OFFSET flip the word at DISP(%rsp), or
 *                    this CPU's guard, when it is hooked the second time, and flip
 *                    it back by the first hook, before the instruction runs
 *   hook return 0 0  the same at stackfault_plain()'s return, its return address
 *   unhook
 *   checked N        call stackfault_checked() and stackfault_plain() N times
 *   stray CALLS N    call stackfault_plain() so many times, then come to its return N times
 *                    without having entered it
 *   kthreads N       start N kernel threads that sleep shortly and end
 *
 * /sys/kernel/debug/stackfault-canaries lists "TID CANARY" of all threads, for the
 * test that looks for leaked ones.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/utsname.h>
#include <linux/version.h>
#include <linux/vmalloc.h>

#include <asm/unwind.h>

#include "layout.h" /* SIZEOF_FUTEX_Q: the type is private to kernel/futex */

#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 14, 0)
#define task_state(t) READ_ONCE((t)->__state)
#else
#define task_state(t) READ_ONCE((t)->state)
#endif

#define MAX_OVERFLOW 64
#define NR_SEEN	     512 /* threads remembered per object, oldest forgotten */

struct object {
	const char *name;
	size_t size;
	struct kprobe probe;
	raw_spinlock_t lock;
	unsigned int next;
	struct {
		pid_t tid;
		void *addr;
	} seen[NR_SEEN];
};

static void remember(struct object *object, unsigned long addr)
{
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&object->lock, flags);
	for (i = 0; i < NR_SEEN; i++)
		if (object->seen[i].tid == current->pid)
			break;
	if (i == NR_SEEN) {
		i = object->next;
		object->next = (object->next + 1) % NR_SEEN;
	}
	object->seen[i].tid = current->pid;
	object->seen[i].addr = (void *)addr;
	raw_spin_unlock_irqrestore(&object->lock, flags);
}

static int first_argument(struct kprobe *p, struct pt_regs *regs)
{
	remember(container_of(p, struct object, probe), regs->di);
	return 0;
}

static int second_argument(struct kprobe *p, struct pt_regs *regs)
{
	remember(container_of(p, struct object, probe), regs->si);
	return 0;
}

static struct object objects[] = {
	{
		.name = "nanosleep",
		.size = sizeof(struct hrtimer_sleeper),
		.probe = { .symbol_name = "do_nanosleep", .pre_handler = first_argument },
	},
	{
		.name = "futex",
		.size = SIZEOF_FUTEX_Q,
	},
};

/* Who is handed the futex_q and sleeps on it, newest name first. */
static const struct {
	const char *symbol;
	kprobe_pre_handler_t handler;
} futex_sleepers[] = {
	{ "futex_do_wait", first_argument },	 /* v6.16 */
	{ "futex_wait_queue", second_argument }, /* v5.16 */
	{ "futex_wait_queue_me", second_argument },
};

/* What writes have replaced, so that they can be undone. */
static struct saved {
	struct task_struct *task;
	u8 *addr;
	size_t len;
	u8 old[MAX_OVERFLOW];
} saved[64];
static unsigned int nr_saved;
static DEFINE_MUTEX(control_lock);

static bool sleeps(struct task_struct *task)
{
	return task_state(task) != 0 && !READ_ONCE(task->on_cpu) && task->stack;
}

static bool sleeps_below(struct task_struct *task, void *addr)
{
	unsigned long stack = (unsigned long)task->stack;
	unsigned long a = (unsigned long)addr;

	return sleeps(task) && a > task->thread.sp && a >= stack &&
	       a + MAX_OVERFLOW * 2 < stack + THREAD_SIZE;
}

/* Remember what is at addr, on the stack of task; the caller holds it. */
static int keep(struct task_struct *task, void *addr, size_t len)
{
	struct saved *save = &saved[nr_saved];

	if (nr_saved == ARRAY_SIZE(saved))
		return -ENOSPC;
	nr_saved++;
	get_task_struct(task);
	save->task = task;
	save->addr = addr;
	save->len = len;
	memcpy(save->old, addr, len);
	return 0;
}

static int overflow(struct object *object, pid_t tid, size_t bytes)
{
	struct task_struct *task;
	unsigned long flags;
	void *addr = NULL;
	unsigned int i;
	int err = -ESRCH;

	if (bytes == 0 || bytes > MAX_OVERFLOW)
		return -EINVAL;

	raw_spin_lock_irqsave(&object->lock, flags);
	for (i = 0; i < NR_SEEN; i++)
		if (object->seen[i].tid == tid)
			addr = object->seen[i].addr;
	raw_spin_unlock_irqrestore(&object->lock, flags);
	if (!addr)
		return -ESRCH;

	rcu_read_lock();
	task = pid_task(find_pid_ns(tid, &init_pid_ns), PIDTYPE_PID);
	if (task && sleeps_below(task, addr))
		err = keep(task, (u8 *)addr + object->size, bytes);
	if (!err) {
		u8 *past = (u8 *)addr + object->size;

		/* The compiler must not see that this leaves the object. */
		OPTIMIZER_HIDE_VAR(past);
		memset(past, 'A', bytes);
	}
	rcu_read_unlock();
	if (!err)
		pr_info("stackfault: wrote %zu bytes past %s's object of thread %d from CPU %d\n",
			bytes, object->name, tid, raw_smp_processor_id());
	return err;
}

/* Undo this many writes, the last one first, on stacks whose tasks still sleep. */
static int restore(unsigned int count)
{
	while (nr_saved && count--) {
		struct saved *save = &saved[--nr_saved];

		if (sleeps(save->task))
			memcpy(save->addr, save->old, save->len);
		put_task_struct(save->task);
	}
	return 0;
}

/* Would a call have left this word behind? Direct calls only: 0xe8 and four bytes. */
static bool is_return_address(unsigned long word)
{
	u8 opcode;

	return word >= __START_KERNEL_map &&
	       !copy_from_kernel_nofault(&opcode, (void *)(word - 5), 1) && opcode == 0xe8;
}

/* The word that `what` and N choose on a sleeping stack; NULL if there are fewer. */
static unsigned long *find_word(struct task_struct *task, const char *what, unsigned int n)
{
	unsigned long *word = (unsigned long *)task->thread.sp;
	unsigned long *top = (unsigned long *)((unsigned long)task->stack + THREAD_SIZE);

	if (!strcmp(what, "end"))
		return task->stack;
	for (; word < top; word++) {
		bool match =
			what[0] == 'c' ? *word == task->stack_canary : is_return_address(*word);

		if (match && n-- == 0)
			return word;
	}
	return NULL;
}

/* Where the return addresses of a sleep lie, by the kernel's own unwinder, before any write. */
static struct chain {
	struct task_struct *task; /* held; NULL: free */
	unsigned int count;
	unsigned long *words[128];
} chains[64];

static struct chain *find_chain(struct task_struct *task)
{
	unsigned long *bottom = task->stack;
	struct unwind_state state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(chains) && chains[i].task; i++)
		if (chains[i].task == task)
			return &chains[i];
	if (i == ARRAY_SIZE(chains))
		return NULL;
	get_task_struct(task);
	chains[i].task = task;
	for (unwind_start(&state, task, NULL, NULL);
	     !unwind_done(&state) && chains[i].count < ARRAY_SIZE(chains[i].words);
	     unwind_next_frame(&state)) {
		unsigned long *word = (unsigned long *)state.sp - 1;

		/* Of an interrupted frame it is no word of the stack, or another one. */
		if (word > bottom && word < bottom + THREAD_SIZE / sizeof(*word) &&
		    *word == unwind_get_return_address(&state) && is_return_address(*word))
			chains[i].words[chains[i].count++] = word;
	}
	return &chains[i];
}

static bool is_kept(const unsigned long *word)
{
	unsigned int i;

	for (i = 0; i < nr_saved; i++)
		if (saved[i].addr == (const u8 *)word)
			return true;
	return false;
}

static void put_chains(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(chains) && chains[i].task; i++)
		put_task_struct(chains[i].task);
}

/* It stays a return address, and does not lead to where the thread came from. */
static int reroute(pid_t tid, const char *function)
{
	unsigned long *word = NULL, other = 0;
	char name[KSYM_SYMBOL_LEN];
	struct task_struct *task;
	struct chain *chain = NULL;
	unsigned int i = 0;
	int err = -ESRCH;

	rcu_read_lock();
	task = pid_task(find_pid_ns(tid, &init_pid_ns), PIDTYPE_PID);
	if (task && sleeps(task))
		chain = find_chain(task);
	for (; chain && i < chain->count && !word; i++) {
		snprintf(name, sizeof(name), "%ps", (void *)*chain->words[i]);
		strreplace(name, ' ', 0); /* "[module]" */
		if (!strcmp(name, function) && !is_kept(chain->words[i]))
			word = chain->words[i];
	}
	for (; word && i < chain->count && !other; i++)
		other = *chain->words[i] == *word ? 0 : *chain->words[i];
	if (chain)
		err = other ? keep(task, word, sizeof(*word)) : -ENOENT;
	if (!err)
		*word = other;
	rcu_read_unlock();
	return err;
}

static int poke(const char *what, pid_t tid, unsigned int n)
{
	struct task_struct *task;
	unsigned long *word;
	int err = -ESRCH;

	rcu_read_lock();
	task = pid_task(find_pid_ns(tid, &init_pid_ns), PIDTYPE_PID);
	if (task && sleeps(task)) {
		word = find_word(task, what, n);
		err = word ? keep(task, word, sizeof(*word)) : -ENOENT;
	}
	if (!err)
		*word = what[0] == 'c' ? ~*word : 0;
	rcu_read_unlock();
	return err;
}

/* What pointers are made to; what they lie behind is freed when the module goes. */
static void *planted_object, *planted_area;
static unsigned long planted_page;

static unsigned long pointer_to(const char *what)
{
	if (!planted_object)
		planted_object = kmalloc(64, GFP_KERNEL);
	if (!planted_area)
		planted_area = vmalloc(2 * PAGE_SIZE);
	if (!planted_page)
		planted_page = __get_free_page(GFP_KERNEL);
	if (!planted_object || !planted_area || !planted_page)
		return 0;
	return !strcmp(what, "slab")	  ? (unsigned long)planted_object + 0x10
	       : !strcmp(what, "page")	  ? planted_page + 0x20
	       : !strcmp(what, "percpu")  ? (unsigned long)&per_cpu(cpu_info, 0) + 8
	       : !strcmp(what, "vmalloc") ? (unsigned long)planted_area + 0x1008
	       : !strcmp(what, "static")  ? (unsigned long)&init_uts_ns + 8
	       : !strcmp(what, "stack")	  ? (unsigned long)current->stack + THREAD_SIZE - 0x100
	       : !strcmp(what, "task")	  ? (unsigned long)current + 0x18
	       : !strcmp(what, "canary")  ? current->stack_canary
					  : 0;
}

/* What becomes of a canary; *ret_word has it. False: of that kind there is nothing. */
static bool change(const char *how, unsigned long *ret_word)
{
	if (!strcmp(how, "bit"))
		*ret_word ^= 1UL << 37;
	else if (!strcmp(how, "decrement"))
		*ret_word -= 3;
	else if (!strcmp(how, "zero"))
		*ret_word = 0;
	else if (!strcmp(how, "byte"))
		*ret_word |= 'A';
	else
		return !strcmp(how, "same");
	return true;
}

static int plant(pid_t tid, unsigned int n, const char *what)
{
	unsigned long pointer = pointer_to(what), word = 0;
	int err = pointer || change(what, &word) ? poke("canary", tid, n) : -EINVAL;

	if (err)
		return err;
	if (!pointer) {
		memcpy(&word, saved[nr_saved - 1].old, sizeof(word));
		change(what, &word);
	}
	*(unsigned long *)saved[nr_saved - 1].addr = pointer ?: word;
	return 0;
}

/* Overflows its own frame while it runs. The compiler must not see through it. */
#define SMASH(name, size)                                  \
	static noinline void name(unsigned int bytes)      \
	{                                                  \
		char buffer[size];                         \
		char *past = buffer;                       \
                                                           \
		OPTIMIZER_HIDE_VAR(past);                  \
		memset(past, 'A', sizeof(buffer) + bytes); \
		OPTIMIZER_HIDE_VAR(past);                  \
	}

SMASH(stackfault_smash, 32)
SMASH(stackfault_twin, 48) /* or the compiler makes one of the two */

static noinline unsigned long stackfault_compute(unsigned long x)
{
	unsigned int i;

	for (i = 0; i < 1000; i++)
		x = x * 6364136223846793005UL + 1442695040888963407UL;
	return x;
}

static char toil_kept[32]; /* no copy on the stack; under the control's lock */

static noinline void stackfault_toil(unsigned int ms, unsigned int bytes)
{
	u64 until = ktime_get_ns() + ms * (u64)NSEC_PER_MSEC;
	unsigned long x = ms;
	char buffer[24];
	char *past = buffer + sizeof(buffer);

	OPTIMIZER_HIDE_VAR(past);
	memcpy(toil_kept, past, bytes);
	memset(past, 'A', bytes);
	while (ktime_get_ns() < until && !fatal_signal_pending(current)) {
		x = stackfault_compute(x);
		cond_resched();
	}
	memcpy(past, toil_kept, bytes);
	memset(toil_kept, 0, sizeof(toil_kept));
	OPTIMIZER_HIDE_VAR(x);
}

/* Both with a frame pointer, which they go by. */
static noinline void stackfault_framed(void)
{
	char buffer[32];
	char *used = buffer;
	void *frame = __builtin_frame_address(0);

	OPTIMIZER_HIDE_VAR(frame);
	OPTIMIZER_HIDE_VAR(used);
	memset(used, 0, sizeof(buffer));
	/* Registers to save: or both would have their canary at one distance from RBP. */
	asm volatile(".Lend_of_framed:" : : "r"(frame), "r"(used) : "rbx", "r12", "r13", "r14");
}

static noinline void stackfault_unframed(void)
{
	unsigned long words[24];
	void *frame = __builtin_frame_address(0);
	size_t i;

	OPTIMIZER_HIDE_VAR(frame);
	for (i = 0; i < ARRAY_SIZE(words); i++)
		WRITE_ONCE(words[i], i);
	asm volatile(".Lin_unframed: nop" : : "r"(frame), "r"(words) : "memory");
}

static int go_astray(struct kprobe *p, struct pt_regs *regs)
{
	asm volatile("leaq .Lend_of_framed(%%rip), %0" : "=r"(regs->ip));
	return 1;
}

static int be_alien(void)
{
	static struct kprobe astray;
	kprobe_opcode_t *here;
	int err;

	asm volatile("leaq .Lin_unframed(%%rip), %0" : "=r"(here));
	astray = (struct kprobe){ .addr = here, .pre_handler = go_astray };
	stackfault_framed();
	err = register_kprobe(&astray);
	if (err)
		return err;
	stackfault_unframed();
	unregister_kprobe(&astray);
	return 0;
}

/* The deepest entry: the return address lies right above the saved frame pointer. */
static unsigned long stackfault_deepest, msleep_deepest;

static noinline void stackfault_recurse(unsigned long wanted)
{
	unsigned long entry = (unsigned long)__builtin_frame_address(0) + 8;
	unsigned long depth = (unsigned long)current->stack + THREAD_SIZE - entry;
	unsigned long sp;
	char buffer[64];
	char *used = buffer;

	OPTIMIZER_HIDE_VAR(used);
	memset(used, 0, sizeof(buffer));
	stackfault_deepest = max(stackfault_deepest, depth);
	if (depth < wanted) {
		stackfault_recurse(wanted);
	} else {
		asm volatile("movq %%rsp, %0" : "=r"(sp));
		msleep_deepest = (unsigned long)current->stack + THREAD_SIZE - (sp - 8);
		msleep(1);
	}
	OPTIMIZER_HIDE_VAR(used);
}

/* Small frames, or a stack has no room for so many. */
static noinline void stackfault_linger(unsigned int frames)
{
	if (frames > 1)
		stackfault_linger(frames - 1);
	else
		schedule_timeout_interruptible(MAX_SCHEDULE_TIMEOUT);
	barrier(); /* no jump in place of the call */
}

/* As little as a function can take: its entry is as deep as anything survives. */
static noinline int stackfault_dive(unsigned long left)
{
	unsigned long entry = (unsigned long)__builtin_frame_address(0) + 8;
	int depth = 1;

	if (entry - (unsigned long)current->stack > left)
		depth += stackfault_dive(left);
	barrier();
	return depth;
}

/* Two kprobes around whoever probes between them: handlers run newest first. */
static noinline void stackfault_checked(void)
{
	char buffer[32];
	char *used = buffer;

	OPTIMIZER_HIDE_VAR(used);
	memset(used, 0, sizeof(buffer));
	OPTIMIZER_HIDE_VAR(used);
}

/* No canary; the barrier keeps calls of it from being left out. */
static noinline int stackfault_plain(int value)
{
	barrier();
	return value;
}

static unsigned long hook_disp;
static bool hook_guard;
static struct kprobe hooks[2];
static unsigned int nr_hooks;

static int flip(struct kprobe *p, struct pt_regs *regs)
{
	unsigned long ones = ~0UL;

	if (nr_hooks < ARRAY_SIZE(hooks))
		return 0;
	if (!hook_guard)
		*(unsigned long *)(regs->sp + hook_disp) ^= ones;
	else
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
		asm volatile("xorq %0, %%gs:__ref_stack_chk_guard(%%rip)" : : "r"(ones) : "memory");
#else
		asm volatile("xorq %0, %%gs:40" : : "r"(ones) : "memory");
#endif
	return 0;
}

/* The first byte that begins a return, or a jump to the thunk that does it. */
static unsigned int return_of_plain; /* found before there are breakpoints */

static void find_return(void)
{
	const u8 *code = (const u8 *)stackfault_plain;

	while (return_of_plain < 64 && code[return_of_plain] != 0xc3 &&
	       code[return_of_plain] != 0xe9)
		return_of_plain++;
}

/* It has no frame either: SP is as at the return of stackfault_plain(). */
static noinline void stackfault_strayed(void)
{
	asm volatile(".Lin_strayed: nop" : : : "memory");
}

static int go_to_return_of_plain(struct kprobe *p, struct pt_regs *regs)
{
	regs->ip = (unsigned long)stackfault_plain + return_of_plain;
	return 1;
}

static int stray(unsigned int calls, unsigned int times)
{
	static struct kprobe astray;
	void *here;
	int err;

	asm volatile("leaq .Lin_strayed(%%rip), %0" : "=r"(here));
	astray = (struct kprobe){ .addr = here, .pre_handler = go_to_return_of_plain };
	err = register_kprobe(&astray);
	if (err)
		return err;
	while (calls--)
		stackfault_plain(calls);
	while (times--)
		stackfault_strayed();
	unregister_kprobe(&astray);
	return 0;
}

/* The first one lies in wait, disabled: the text stays as it was compiled until then. */
static int hook(const char *kind, unsigned int offset, unsigned int disp)
{
	struct kprobe *p = &hooks[nr_hooks];
	bool at_return = !strcmp(kind, "return");
	int err = 0;

	if (nr_hooks == ARRAY_SIZE(hooks))
		return -ENOSPC;
	memset(p, 0, sizeof(*p));
	hook_guard = !strcmp(kind, "guard");
	hook_disp = disp;
	p->addr = at_return ? (kprobe_opcode_t *)stackfault_plain + return_of_plain
			    : (kprobe_opcode_t *)stackfault_checked + offset;
	p->pre_handler = flip;
	p->flags = nr_hooks ? 0 : KPROBE_FLAG_DISABLED;
	if (nr_hooks)
		err = enable_kprobe(&hooks[0]);
	if (!err)
		err = register_kprobe(p);
	if (!err)
		nr_hooks++;
	return err;
}

static void unhook(void)
{
	unsigned int n = nr_hooks;

	nr_hooks = 0; /* no flip from here on that nobody flips back */
	synchronize_rcu();
	while (n)
		unregister_kprobe(&hooks[--n]);
}

static atomic_t napping;

static int nap(void *unused)
{
	msleep(5);
	atomic_dec(&napping);
	return 0;
}

static int start_kthreads(unsigned int count)
{
	while (count--) {
		atomic_inc(&napping);
		if (IS_ERR(kthread_run(nap, NULL, "fault-nap/%u", count))) {
			atomic_dec(&napping);
			return -ENOMEM;
		}
	}
	return 0;
}

static int canaries_show(struct seq_file *seq, void *unused)
{
	struct task_struct *process, *thread;

	rcu_read_lock();
	for_each_process_thread(process, thread)
		seq_printf(seq, "%d %016lx\n", thread->pid, thread->stack_canary);
	rcu_read_unlock();
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(canaries);

static ssize_t control_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	char line[64] = {}, name[16], function[48];
	unsigned int bytes;
	size_t i;
	int tid, err = -EINVAL;

	if (len >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, buf, len))
		return -EFAULT;

	mutex_lock(&control_lock);
	if (sscanf(line, "overflow %15s %d %u", name, &tid, &bytes) == 3) {
		for (i = 0; i < ARRAY_SIZE(objects); i++)
			if (!strcmp(objects[i].name, name))
				err = overflow(&objects[i], tid, bytes);
	} else if (sscanf(line, "restore %u", &bytes) == 1) {
		err = restore(bytes);
	} else if (!strncmp(line, "restore", 7)) {
		err = restore(UINT_MAX);
	} else if (sscanf(line, "canary %d %u", &tid, &bytes) == 2) {
		err = poke("canary", tid, bytes);
	} else if (sscanf(line, "plant %d %u %15s", &tid, &bytes, name) == 3) {
		err = plant(tid, bytes, name);
	} else if (sscanf(line, "return %d %u", &tid, &bytes) == 2) {
		err = poke("return", tid, bytes);
	} else if (sscanf(line, "reroute %d %47s", &tid, function) == 2) {
		err = reroute(tid, function);
	} else if (sscanf(line, "end %d", &tid) == 1) {
		err = poke("end", tid, 0);
	} else if (sscanf(line, "smash %u", &bytes) == 1) {
		err = 0;
		stackfault_smash(bytes);
	} else if (sscanf(line, "twin %u", &bytes) == 1) {
		err = 0;
		stackfault_twin(bytes);
	} else if (sscanf(line, "toil %u %d", &bytes, &tid) == 2 && tid >= 0 &&
		   tid <= sizeof(toil_kept)) {
		err = 0;
		stackfault_toil(bytes, tid);
	} else if (sscanf(line, "stray %u %d", &bytes, &tid) == 2) {
		err = stray(bytes, tid);
	} else if (!strncmp(line, "framed", 6)) {
		err = be_alien();
	} else if (sscanf(line, "recurse %u", &bytes) == 1 && bytes < THREAD_SIZE - 1800) {
		err = 0;
		stackfault_deepest = 0;
		stackfault_recurse(bytes);
		pr_info("stackfault: deepest entry %lu, msleep's %lu\n", stackfault_deepest,
			msleep_deepest);
	} else if (sscanf(line, "linger %u", &bytes) == 1 && bytes <= 100) {
		mutex_unlock(&control_lock); /* others write meanwhile */
		stackfault_linger(bytes);
		mutex_lock(&control_lock);
		err = 0;
	} else if (sscanf(line, "dive %u", &bytes) == 1 && bytes < THREAD_SIZE) {
		err = 0;
		pr_info("stackfault: dived to %u: %d calls\n", bytes, stackfault_dive(bytes));
	} else if (sscanf(line, "hook %15s %u %u", name, &bytes, &tid) == 3) {
		err = hook(name, bytes, tid);
	} else if (!strncmp(line, "unhook", 6)) {
		err = 0;
		unhook();
	} else if (sscanf(line, "checked %u", &bytes) == 1) {
		for (err = 0; bytes; bytes--) {
			stackfault_checked();
			stackfault_plain(bytes);
		}
	} else if (sscanf(line, "kthreads %u", &bytes) == 1) {
		err = start_kthreads(bytes);
	}
	mutex_unlock(&control_lock);
	return err ?: len;
}

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.write = control_write,
};

static struct dentry *control, *canaries;

static int register_futex_probe(struct object *object)
{
	int err = -ENOENT;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(futex_sleepers); i++) {
		object->probe.symbol_name = futex_sleepers[i].symbol;
		object->probe.pre_handler = futex_sleepers[i].handler;
		err = register_kprobe(&object->probe);
		if (!err)
			return 0;
		object->probe.addr = NULL;
		object->probe.flags = 0;
	}
	return err;
}

static int __init stackfault_init(void)
{
	size_t i;
	int err;

	find_return();
	for (i = 0; i < ARRAY_SIZE(objects); i++)
		raw_spin_lock_init(&objects[i].lock);
	err = register_kprobe(&objects[0].probe);
	if (err)
		return err;
	err = register_futex_probe(&objects[1]);
	if (err) {
		unregister_kprobe(&objects[0].probe);
		return err;
	}
	control = debugfs_create_file("stackfault", 0200, NULL, NULL, &control_fops);
	canaries = debugfs_create_file("stackfault-canaries", 0400, NULL, NULL, &canaries_fops);
	return 0;
}

static void __exit stackfault_exit(void)
{
	debugfs_remove(control);
	debugfs_remove(canaries);
	unhook();
	unregister_kprobe(&objects[1].probe);
	unregister_kprobe(&objects[0].probe);
	while (atomic_read(&napping))
		msleep(1);
	msleep(20); /* the last of them is still on its way out of this module's code */
	while (nr_saved)
		put_task_struct(saved[--nr_saved].task);
	put_chains();
	kfree(planted_object);
	vfree(planted_area);
	free_page(planted_page);
}

module_init(stackfault_init);
module_exit(stackfault_exit);
MODULE_DESCRIPTION("Damage kernel stack frames for tests");
MODULE_LICENSE("GPL");
