#include "p17-rpc-auth/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/parse.h"

enum { LINE_MAX_BYTES = 1024 };

void policy_init(struct policy *policy, const char *const *procedures)
{
	policy->procedures = procedures;
	policy->n = 0;
}

/* ---- making ---- */

/* "1000" or "1000-1999". The largest number is no id of anybody. */
static int parse_range(const char *text, uint32_t *low, uint32_t *high)
{
	char first[16];
	size_t n = strcspn(text, "-");
	int64_t from, to;

	if (n == 0 || n >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, n);
	first[n] = '\0';
	if (parse_integer(first, &from))
		return -EINVAL;
	to = from;
	if (text[n] && parse_integer(text + n + 1, &to))
		return -EINVAL;
	if (from < 0 || to < from || to >= UINT32_MAX)
		return -EINVAL;
	*low = (uint32_t)from;
	*high = (uint32_t)to;
	return 0;
}

static int parse_word(struct policy_rule *rule, const char *word)
{
	if (strcmp(word, "anybody") == 0) {
		rule->kind = POLICY_ANYBODY;
		return 0;
	}
	if (strncmp(word, "host=", 5) == 0) {
		rule->kind = POLICY_HOST;
		if (netname_check(word + 5))
			return -EINVAL;
		memcpy(rule->host, word + 5, strlen(word + 5) + 1);
		return 0;
	}
	if (strncmp(word, "uid=", 4) == 0)
		rule->kind = POLICY_UID;
	else if (strncmp(word, "gid=", 4) == 0)
		rule->kind = POLICY_GID;
	else
		return -EINVAL;
	return parse_range(word + 4, &rule->low, &rule->high);
}

static int find_procedure(const struct policy *policy, const char *name,
			  int *procedure)
{
	*procedure = -1;
	if (strcmp(name, "*") == 0)
		return 0;
	for (int i = 0; policy->procedures[i]; i++) {
		if (strcmp(name, policy->procedures[i]) == 0) {
			*procedure = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int add_words(struct policy *policy, int procedure, char *rest)
{
	size_t before = policy->n;
	bool needs_proof = false;
	const char *word;

	while ((word = strtok_r(NULL, " \t\r\n", &rest)) != NULL) {
		struct policy_rule *rule = &policy->rules[policy->n];

		if (strcmp(word, "proved") == 0) {
			needs_proof = true;
			continue;
		}
		if (policy->n == POLICY_RULES) {
			policy->n = before;
			return -ENOSPC;
		}
		*rule = (struct policy_rule){.procedure = procedure};
		if (parse_word(rule, word)) {
			policy->n = before;
			return -EINVAL;
		}
		policy->n++;
	}
	for (size_t i = before; i < policy->n; i++)
		policy->rules[i].needs_proof = needs_proof;
	/* A line that allows nobody is a slip. */
	return policy->n > before ? 0 : -EINVAL;
}

int policy_add(struct policy *policy, const char *line)
{
	size_t length = strcspn(line, "#\n");
	char copy[LINE_MAX_BYTES], *rest;
	const char *name;
	int procedure;

	if (length >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, line, length);
	copy[length] = '\0';
	name = strtok_r(copy, " \t\r\n", &rest);
	if (!name)
		return 0;
	if (find_procedure(policy, name, &procedure))
		return -EINVAL;
	return add_words(policy, procedure, rest);
}

static int add_lines(struct policy *policy, const char *text, size_t *line)
{
	size_t number = 1;

	for (const char *next; text; text = next, number++) {
		int error = policy_add(policy, text);

		if (error) {
			*line = number;
			return error;
		}
		next = strchr(text, '\n');
		if (next)
			next++;
	}
	return 0;
}

/* All of it, with a '\0' behind it. */
static int read_text(int fd, char *text)
{
	ssize_t n = fdio_read_full(fd, text, POLICY_FILE_MAX + 1);

	if (n < 0)
		return (int)n;
	if (n > POLICY_FILE_MAX)
		return -EFBIG;
	text[n] = '\0';
	return strlen(text) == (size_t)n ? 0 : -EINVAL;
}

int policy_load(struct policy *policy, const char *path, size_t *line)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = -ENOMEM;
	const size_t before = policy->n;
	char *text;

	*line = 0;
	if (fd < 0)
		return -errno;
	text = malloc(POLICY_FILE_MAX + 1);
	if (text)
		error = fdio_check_trusted(fd);
	if (!error)
		error = read_text(fd, text);
	close(fd);
	if (!error)
		error = add_lines(policy, text, line);
	if (!error && policy->n == before)
		error = -ENODATA;
	free(text);
	return error;
}

/* ---- asking ---- */

static bool is_in(const struct policy_rule *rule, uint32_t id)
{
	return id >= rule->low && id <= rule->high;
}

static bool has_group(const struct policy_rule *rule,
		      const struct rpc_identity *who)
{
	if (!who->has_uid)
		return false;
	if (is_in(rule, who->gid))
		return true;
	for (size_t i = 0; i < who->n_gids; i++)
		if (is_in(rule, who->gids[i]))
			return true;
	return false;
}

static bool is_meant(const struct policy_rule *rule,
		     const struct rpc_identity *who)
{
	switch (rule->kind) {
	case POLICY_ANYBODY:
		return true;
	case POLICY_UID:
		return who->has_uid && is_in(rule, who->uid);
	case POLICY_GID:
		return has_group(rule, who);
	case POLICY_HOST:
		/* Of AUTH_SYS the name is a machine's, and anybody's word. */
		return who->flavor == AUTH_DH &&
		       strcmp(rule->host, who->name) == 0;
	}
	return false;
}

static bool has_lines(const struct policy *policy, int procedure)
{
	for (size_t i = 0; i < policy->n; i++)
		if (policy->rules[i].procedure == procedure)
			return true;
	return false;
}

enum auth_stat policy_ask(const struct policy *policy, uint32_t procedure,
			  const struct rpc_identity *who)
{
	bool is_own = has_lines(policy, (int)procedure), lacks_proof = false;

	if (procedure == 0 && !is_own)
		return AUTH_OK;
	for (size_t i = 0; i < policy->n; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->procedure != (is_own ? (int)procedure : -1) ||
		    !is_meant(rule, who))
			continue;
		if (!rule->needs_proof || who->is_proved)
			return AUTH_OK;
		lacks_proof = true;
	}
	if (lacks_proof || who->flavor == AUTH_NONE)
		return AUTH_TOOWEAK;
	return AUTH_REJECTEDCRED;
}
