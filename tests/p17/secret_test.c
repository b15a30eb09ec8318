/* What is left of secrets in memory that was given back: whoever gets it next,
 * or reads a core dump, finds nothing. */
#include <errno.h>
#include <gmp.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/p17/fixture.h"
#include "tests/support/scratch.h"

enum { PIECE = 8, SECRETS = 4, LONGEST = 64 };

/* What must not be found: any eight bytes of these. */
static uint8_t secrets[SECRETS][LONGEST];
static size_t lengths[SECRETS];
static size_t n_secrets;
static unsigned int found, looked;

static struct scratch scratch;

static void must_not_stay(const void *secret, size_t n)
{
	assert_true(n_secrets < SECRETS && n <= LONGEST);
	memcpy(secrets[n_secrets], secret, n);
	lengths[n_secrets++] = n;
}

/* Numbers lie the other way round in gmp. */
static void key_must_not_stay(const uint8_t key[DH_KEY])
{
	uint8_t turned[DH_KEY];

	for (int i = 0; i < DH_KEY; i++)
		turned[i] = key[DH_KEY - 1 - i];
	must_not_stay(key, DH_KEY);
	must_not_stay(turned, DH_KEY);
}

static void look_at(const void *memory, size_t n)
{
	looked++;
	for (size_t s = 0; s < n_secrets; s++)
		for (size_t i = 0; i + PIECE <= lengths[s]; i++)
			if (memmem(memory, n, secrets[s] + i, PIECE))
				found++;
}

void __real_free(void *memory);
void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
	if (memory)
		look_at(memory, malloc_usable_size(memory));
	__real_free(memory);
}

/* It may leave the old piece behind. */
void *__wrap_reallocarray(void *memory, size_t n, size_t size);
void *__wrap_reallocarray(void *memory, size_t n, size_t size)
{
	void *more = calloc(n, size);

	if (more && memory) {
		const size_t old = malloc_usable_size(memory);

		memcpy(more, memory, old < n * size ? old : n * size);
		__wrap_free(memory);
	}
	return more;
}

static void *gmp_alloc(size_t n)
{
	return calloc(1, n);
}

static void gmp_free(void *memory, size_t n)
{
	(void)n;
	__wrap_free(memory);
}

static void *gmp_realloc(void *memory, size_t old, size_t n)
{
	(void)old;
	return __wrap_reallocarray(memory, n, 1);
}

static int set_up(void **state)
{
	(void)state;
	mp_set_memory_functions(gmp_alloc, gmp_realloc, gmp_free);
	scratch_make(&scratch);
	n_secrets = found = looked = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	n_secrets = 0;
	scratch_remove(&scratch);
	return 0;
}

static void assert_nothing_stays(void)
{
	assert_true(looked > 0);
	assert_int_equal(found, 0);
}

static void nothing_stays_of_numbers(void **state)
{
	uint8_t ours[DH_KEY], theirs[DH_KEY], public[DH_KEY], common[DH_KEY];

	(void)state;
	assert_int_equal(dh_generate(theirs, public), 0);
	assert_int_equal(dh_generate(ours, common), 0);
	assert_int_equal(dh_common(ours, public, common), 0);
	key_must_not_stay(ours);
	key_must_not_stay(common);
	looked = 0;
	assert_int_equal(dh_common(ours, public, common), 0);
	dh_public(ours, public);
	assert_nothing_stays();
}

static void write_secret(const char *text, size_t n)
{
	scratch_write(&scratch, "s", text, n);
	assert_int_equal(chmod(scratch_path(&scratch, "s"), 0600), 0);
}

static void nothing_stays_of_a_secret_file(void **state)
{
	struct keys_entry entry = {.name = "unix.1@test"}, again;
	char hex[DH_HEX], text[1024];
	uint8_t public[DH_KEY];
	int n;

	(void)state;
	assert_int_equal(dh_generate(entry.key, public), 0);
	dh_format(entry.key, hex);
	must_not_stay(hex, sizeof(hex) - 1);
	key_must_not_stay(entry.key);
	assert_int_equal(
		keys_store_secret(&entry, scratch_path(&scratch, "s"), false),
		0);
	assert_int_equal(
		keys_load_secret(&again, scratch_path(&scratch, "s"), NULL), 0);
	assert_nothing_stays();
	/* Nor of one that is refused, for a second key or a slip. */
	n = snprintf(text, sizeof(text), "%s %s\nunix.2@test %s\n", entry.name,
		     hex, hex);
	write_secret(text, (size_t)n);
	assert_int_equal(
		keys_load_secret(&again, scratch_path(&scratch, "s"), NULL),
		-EBADMSG);
	write_secret(text, (size_t)n - 2);
	assert_int_equal(
		keys_load_secret(&again, scratch_path(&scratch, "s"), NULL),
		-EBADMSG);
	assert_nothing_stays();
}

static void nothing_stays_of_conversations(void **state)
{
	static struct people people;
	struct rpc_identity who;
	uint8_t common[DH_KEY], key[DH_DES];
	AUTH *alice;

	(void)state;
	people_init(&people);
	assert_int_equal(
		dh_common(people.secret[ALICE].key,
			  keys_find(&people.publics, people.secret[SERVER].name)
				  ->key,
			  common),
		0);
	dh_des_key(common, key);
	key_must_not_stay(common);
	must_not_stay(key, sizeof(key));
	must_not_stay(people.secret[SERVER].key, DH_KEY);
	people_open_server(&people, 0);
	alice = people_client(&people, ALICE);
	assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
	auth_destroy(alice);
	authdh_server_close(people.server);
	assert_nothing_stays();
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nothing_stays_of_numbers),
		CASE(nothing_stays_of_a_secret_file),
		CASE(nothing_stays_of_conversations),
	};
	return SUPPORT_MAIN(tests);
}
