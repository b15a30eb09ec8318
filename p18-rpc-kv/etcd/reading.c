#include "p18-rpc-kv/etcd/reading.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "p18-rpc-kv/etcd/base64.h"

/* Decimal digits, of 64 unsigned bits: ids use all of them. */
static int read_digits(const char *text, uint64_t *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EBADMSG;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno || *end ? -EBADMSG : 0;
}

int reading_number(const json_t *object, const char *name, uint64_t *number)
{
	const json_t *field = json_object_get(object, name);

	*number = 0;
	if (!field)
		return 0;
	if (json_is_string(field))
		return read_digits(json_string_value(field), number);
	if (!json_is_integer(field) || json_integer_value(field) < 0)
		return -EBADMSG;
	*number = (uint64_t)json_integer_value(field);
	return 0;
}

int reading_flag(const json_t *object, const char *name, bool *flag)
{
	const json_t *field = json_object_get(object, name);

	*flag = json_is_true(field);
	return !field || json_is_boolean(field) ? 0 : -EBADMSG;
}

int reading_revision(const json_t *body, uint64_t *revision)
{
	int error = reading_number(json_object_get(body, "header"), "revision",
				   revision);

	return !error && *revision == 0 ? -EBADMSG : error;
}

/* Bytes of a field that is base64. */
static int read_bytes(const json_t *object, const char *name, size_t max,
		      char **bytes, u_int *len)
{
	const json_t *field = json_object_get(object, name);
	size_t text_len = json_string_length(field);
	ssize_t n;

	if (field && !json_is_string(field))
		return -EBADMSG;
	*bytes = malloc(text_len + 1);
	if (!*bytes)
		return -ENOMEM;
	n = base64_decode(*bytes, text_len, json_string_value(field), text_len);
	if (n < 0 || (size_t)n > max)
		return n < 0 ? (int)n : -EFBIG;
	*len = (u_int)n;
	return 0;
}

int reading_pair(const json_t *range, size_t at, kv_pair *pair)
{
	const json_t *pairs = json_object_get(range, "kvs");
	const json_t *one = json_array_get(pairs, at);
	int error;

	memset(pair, 0, sizeof(*pair));
	if (pairs && !json_is_array(pairs))
		return -EBADMSG;
	if (!one)
		return -ENOENT;
	error = read_bytes(one, "key", KV_KEY_MAX, &pair->key.kv_key_val,
			   &pair->key.kv_key_len);
	if (!error)
		error = read_bytes(one, "value", KV_VALUE_MAX,
				   &pair->value.kv_value_val,
				   &pair->value.kv_value_len);
	if (!error)
		error = reading_number(one, "mod_revision", &pair->revision);
	if (!error && (!pair->key.kv_key_len || !pair->revision))
		error = -EBADMSG;
	return error;
}
