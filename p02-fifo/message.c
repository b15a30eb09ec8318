/* message.c - the checksum tells a message from other bytes, for instance
 * from other people's messages behind a header that lies. A multiplication and
 * a shift for each eight bytes: every bit of them reaches the upper half. */
#include "p02-fifo/message.h"

#include <errno.h>
#include <string.h>

static const size_t CHECKED_FROM = offsetof(struct message_head, nonce);

static uint32_t checksum_of(const void *payload, size_t size)
{
	const unsigned char *at = (const unsigned char *)payload + CHECKED_FROM;
	size_t left = size - CHECKED_FROM;
	uint64_t checksum = size;

	while (left) {
		size_t n = left < sizeof(uint64_t) ? left : sizeof(uint64_t);
		uint64_t word = 0;

		memcpy(&word, at, n);
		checksum = (checksum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		checksum ^= checksum >> 32;
		at += n;
		left -= n;
	}
	return (uint32_t)checksum;
}

static int is_sealed(const void *payload, size_t size)
{
	struct message_head head;

	memcpy(&head, payload, sizeof(head));
	return head.version == MESSAGE_VERSION &&
	       head.checksum == checksum_of(payload, size);
}

ssize_t message_pack_request(const struct message_request *request,
			     const char *text, void *buf, size_t room)
{
	struct message_request head = *request;
	size_t len = strlen(text), size = sizeof(head) + len;

	if (len > MESSAGE_EXPRESSION_MAX || size > room)
		return -EMSGSIZE;
	head.head.version = MESSAGE_VERSION;
	memcpy(buf, &head, sizeof(head));
	memcpy((char *)buf + sizeof(head), text, len);
	head.head.checksum = checksum_of(buf, size);
	memcpy(buf, &head, sizeof(head));
	return (ssize_t)size;
}

void message_seal_reply(struct message_reply *reply)
{
	reply->head.version = MESSAGE_VERSION;
	reply->head.checksum = checksum_of(reply, sizeof(*reply));
}

int message_parse_request(const void *payload, size_t size,
			  struct message_request *request,
			  char expression[MESSAGE_EXPRESSION_MAX + 1])
{
	size_t len = size - sizeof(*request);

	if (size < sizeof(*request) || len > MESSAGE_EXPRESSION_MAX ||
	    !is_sealed(payload, size))
		return -EBADMSG;
	memcpy(request, payload, sizeof(*request));
	memcpy(expression, (const char *)payload + sizeof(*request), len);
	expression[len] = '\0';
	if (request->pid <= 0 || strlen(expression) != len)
		return -EBADMSG;
	return 0;
}

int message_parse_reply(const void *payload, size_t size,
			struct message_reply *reply)
{
	if (size != sizeof(*reply) || !is_sealed(payload, size))
		return -EBADMSG;
	memcpy(reply, payload, sizeof(*reply));
	return reply->error < EXPR_ERRORS ? 0 : -EBADMSG;
}
