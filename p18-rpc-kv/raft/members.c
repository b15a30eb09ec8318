/* members.c - the servers of a cluster, as a list and as bytes. */
#include "p18-rpc-kv/raft/members.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

int members_find(const struct members *members, uint64_t id)
{
	for (unsigned int i = 0; i < members->n; i++)
		if (members->member[i].id == id)
			return (int)i;
	return -1;
}

bool members_are_same(const struct members *a, const struct members *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned int i = 0; i < a->n; i++)
		if (a->member[i].id != b->member[i].id ||
		    a->member[i].is_learner != b->member[i].is_learner ||
		    strcmp(a->member[i].address, b->member[i].address) != 0)
			return false;
	return true;
}

bool members_is_voter(const struct members *members, uint64_t id)
{
	const int at = members_find(members, id);

	return at >= 0 && !members->member[at].is_learner;
}

static unsigned int count_voters(const struct members *members)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < members->n; i++)
		n += !members->member[i].is_learner;
	return n;
}

unsigned int members_majority(const struct members *members)
{
	return count_voters(members) / 2 + 1;
}

int members_add(struct members *members, uint64_t id, const char *address)
{
	const size_t len = strnlen(address, MEMBERS_ADDRESS_MAX + 1);
	struct member *member;

	if (!id || !len || len > MEMBERS_ADDRESS_MAX)
		return -EINVAL;
	if (members_find(members, id) >= 0)
		return -EEXIST;
	if (members->n == MEMBERS_MAX)
		return -ENOSPC;
	member = &members->member[members->n++];
	memset(member, 0, sizeof(*member));
	member->id = id;
	memcpy(member->address, address, len);
	return 0;
}

int members_remove(struct members *members, uint64_t id)
{
	const int at = members_find(members, id);

	if (at < 0)
		return -ENOENT;
	if (count_voters(members) == 1 && !members->member[at].is_learner)
		return -EINVAL;
	members->n--;
	memmove(&members->member[at], &members->member[at + 1],
		(members->n - (unsigned int)at) * sizeof(members->member[0]));
	return 0;
}

/* ---- as bytes ---- */

static char *put32(char *to, uint32_t number)
{
	number = htobe32(number);
	memcpy(to, &number, sizeof(number));
	return to + sizeof(number);
}

static char *put64(char *to, uint64_t number)
{
	number = htobe64(number);
	memcpy(to, &number, sizeof(number));
	return to + sizeof(number);
}

size_t members_encode(const struct members *members, void *bytes)
{
	char *to = put32(bytes, members->n);

	for (unsigned int i = 0; i < members->n; i++) {
		const struct member *member = &members->member[i];
		const size_t len = strlen(member->address);

		to = put64(to, member->id);
		to = put32(to, member->is_learner);
		to = put32(to, (uint32_t)len);
		memcpy(to, member->address, len);
		to += len;
	}
	return (size_t)(to - (char *)bytes);
}

/* What is left of the bytes. */
struct rest {
	const char *at;
	size_t len;
};

static bool take(struct rest *rest, void *to, size_t len)
{
	if (rest->len < len)
		return false;
	memcpy(to, rest->at, len);
	rest->at += len;
	rest->len -= len;
	return true;
}

static int take_member(struct rest *rest, struct members *members)
{
	char address[MEMBERS_ADDRESS_MAX + 1] = "";
	uint32_t is_learner, len;
	uint64_t id;

	if (!take(rest, &id, sizeof(id)) ||
	    !take(rest, &is_learner, sizeof(is_learner)) ||
	    !take(rest, &len, sizeof(len)))
		return -EBADMSG;
	is_learner = be32toh(is_learner);
	len = be32toh(len);
	if (is_learner > 1 || len > MEMBERS_ADDRESS_MAX ||
	    !take(rest, address, len) || strlen(address) != len)
		return -EBADMSG;
	if (members_add(members, be64toh(id), address))
		return -EBADMSG;
	members->member[members->n - 1].is_learner = is_learner;
	return 0;
}

int members_decode(const void *bytes, size_t len, struct members *members)
{
	struct rest rest = {bytes, len};
	struct members list = {0};
	uint32_t n;

	if (!take(&rest, &n, sizeof(n)))
		return -EBADMSG;
	n = be32toh(n);
	if (n > MEMBERS_MAX)
		return -EBADMSG;
	while (list.n < n)
		if (take_member(&rest, &list))
			return -EBADMSG;
	if (rest.len || (n && !count_voters(&list)))
		return -EBADMSG;
	*members = list;
	return 0;
}
