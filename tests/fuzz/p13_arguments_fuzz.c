/* Any words as the command line of shm_image_filter, one a line: they become a
 * job that the rest of the program can rely on, or are refused.
 *
 * Refusing ends a program, and would end the search: the functions of die.h
 * are ours here, and come back with a long jump. What argp had in hand then is
 * freed with the help of the address sanitizer, which tells of every block. */
#include <errno.h> /* program_invocation_short_name */
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/die.h"
#include "lib/tick.h"
#include "p13-shm-image/cmd/arguments.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the address sanitizer, where there is one. */
typedef void malloc_hook(const volatile void *block, size_t size);
typedef void free_hook(const volatile void *block);
int __sanitizer_install_malloc_and_free_hooks(malloc_hook *on_malloc,
					      free_hook *on_free)
	__attribute__((weak));

enum { WORDS = 24, BLOCKS = 64 };

static jmp_buf refused;
static bool is_parsing;
static const volatile void *blocks[BLOCKS];

static _Noreturn void refuse(void)
{
	if (!is_parsing)
		abort();
	longjmp(refused, 1);
}

void die(const char *format, ...)
{
	(void)format;
	refuse();
}

void die_errno(int error, const char *format, ...)
{
	(void)error;
	(void)format;
	refuse();
}

void die_usage(const char *format, ...)
{
	(void)format;
	refuse();
}

void die_status(int status, const char *format, ...)
{
	(void)status;
	(void)format;
	refuse();
}

bool die_is_dying(void)
{
	return false;
}

void die_warn(const char *format, ...)
{
	(void)format;
}

void die_warn_errno(int error, const char *format, ...)
{
	(void)error;
	(void)format;
}

static void note_malloc(const volatile void *block, size_t size)
{
	(void)size;
	for (int i = 0; is_parsing && i < BLOCKS; i++) {
		if (blocks[i])
			continue;
		blocks[i] = block;
		return;
	}
}

static void note_free(const volatile void *block)
{
	for (int i = 0; i < BLOCKS; i++)
		if (blocks[i] == block)
			blocks[i] = NULL;
}

static void free_what_is_left(void)
{
	for (int i = 0; i < BLOCKS; i++)
		free((void *)(uintptr_t)blocks[i]); /* and note_free() */
}

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void check(const struct arguments *arguments)
{
	const struct job *job = &arguments->job;
	const struct pool_options *pool = &arguments->pool;

	must(arguments->input && arguments->output);
	must(!arguments->is_json || strcmp(arguments->output, "-") != 0);
	must(arguments->max_pixels >= 1);
	must(job->filters >= 1 && job->filters <= JOB_FILTERS_MAX);
	for (unsigned int i = 0; i < job->filters; i++) {
		must(job->kind[i] < FILTER_KINDS);
		must(job->sigma[i] >= GAUSS_SIGMA_MIN &&
		     job->sigma[i] <= GAUSS_SIGMA_MAX);
		must(job->threshold[i] >= 0 && job->threshold[i] <= 256);
	}
	must(job->level >= 0 && job->level <= 9);
	must(arguments->format >= -1 && arguments->format <= JOB_PAM);
	must(pool->workers >= 1 && pool->workers <= POOL_WORKERS_MAX);
	must(job->killed <= pool->workers);
	must(pool->schedule <= POOL_STATIC);
	must(pool->stall_ns >= TICK_S);
}

static int split(char *text, char **argv)
{
	int argc = 1;

	argv[0] = program_invocation_short_name;
	for (; argc < WORDS; argc++) {
		argv[argc] = strsep(&text, "\n");
		if (!argv[argc])
			break;
	}
	argv[argc] = NULL;
	return argc;
}

/* Without what argp adds by itself: --help and the like end the program. */
static void try(int argc, char **argv)
{
	static struct arguments arguments;
	int error;

	is_parsing = true;
	if (setjmp(refused) != 0) {
		is_parsing = false;
		free_what_is_left();
		return;
	}
	error = arguments_parse(&arguments, cli_try, argc, argv);
	is_parsing = false;
	memset(blocks, 0, sizeof(blocks));
	if (!error)
		check(&arguments);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool has_hooks;
	char *text = malloc(size + 1), *argv[WORDS + 1];

	if (!text)
		abort();
	if (!has_hooks && __sanitizer_install_malloc_and_free_hooks)
		__sanitizer_install_malloc_and_free_hooks(note_malloc,
							  note_free);
	has_hooks = true;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	try(split(text, argv), argv);
	free(text);
	return 0;
}
