#include "p17-rpc-auth/netname.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "unix."

/* A word of letters, digits, '.', '-' and '_'; its length. */
static size_t word_length(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]) ||
	       (text[n] && strchr(".-_", text[n])))
		n++;
	return n;
}

static int make(char name[NETNAME_MAX + 1], const char *who, const char *domain)
{
	int n = snprintf(name, NETNAME_MAX + 1, PREFIX "%s@%s", who, domain);

	if (n < 0 || n > NETNAME_MAX)
		return -EINVAL;
	return netname_check(name);
}

int netname_of_user(char name[NETNAME_MAX + 1], uid_t uid, const char *domain)
{
	char who[16];

	snprintf(who, sizeof(who), "%u", (unsigned int)uid);
	return make(name, who, domain);
}

int netname_of_host(char name[NETNAME_MAX + 1], const char *host,
		    const char *domain)
{
	/* All digits would be a user. */
	if (strspn(host, "0123456789") == strlen(host))
		return -EINVAL;
	return make(name, host, domain);
}

int netname_check(const char *name)
{
	size_t who;

	if (strnlen(name, NETNAME_MAX + 1) > NETNAME_MAX ||
	    strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return -EINVAL;
	name += strlen(PREFIX);
	who = word_length(name);
	if (who == 0 || name[who] != '@')
		return -EINVAL;
	name += who + 1;
	return *name && name[word_length(name)] == '\0' ? 0 : -EINVAL;
}

int netname_uid(const char *name, uint32_t *uid)
{
	uint64_t value = 0;
	const char *c;

	if (netname_check(name))
		return -EINVAL;
	c = name + strlen(PREFIX);
	/* One spelling for each: no leading zeros. */
	if (*c == '0' && c[1] != '@')
		return -ENOENT;
	for (; *c != '@'; c++) {
		if (*c < '0' || *c > '9')
			return -ENOENT;
		value = value * 10 + (uint64_t)(*c - '0');
		if (value >= UINT32_MAX) /* (uid_t)-1 is nobody at all */
			return -ENOENT;
	}
	*uid = (uint32_t)value;
	return 0;
}
