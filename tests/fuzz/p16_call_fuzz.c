/* Any bytes as a stream of records, each as a call, and each once more as a
 * reply: records keep to the limit and to the bytes that are there, and every
 * call is answered by something that parses as its reply. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rpc/rpc_dispatch.h"
#include "lib/rpc/rpc_record.h"
#include "lib/rpc/rpc_message.h"
#include "tests/fuzz/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int serve(const struct rpc_request *request, void *args, void *result)
{
	(void)request;
	memcpy(result, args, sizeof(struct names));
	memset(args, 0, sizeof(struct names));
	return 0;
}

static const struct rpc_procedure procedures[] = {
	RPC_DISPATCH_NULL,
	{.number = 1,
	 .name = "names",
	 .xdr_args = (xdrproc_t)xdr_names,
	 .args_bytes = sizeof(struct names),
	 .xdr_result = (xdrproc_t)xdr_names,
	 .result_bytes = sizeof(struct names),
	 .serve = serve},
};
static const struct rpc_program program = {0x31230000, 1, procedures, 2};
static const struct rpc_dispatch dispatch = {.programs = &program,
					     .n_programs = 1};

static void answer(const uint8_t *record, size_t bytes)
{
	const struct rpc_peer peer = {.transport = RPC_TCP};
	struct rpc_scratch scratch;
	struct rpc_buffer reply;
	struct rpc_reply parsed;
	struct rpc_call call;
	ssize_t n;

	(void)rpc_message_decode_reply(record, bytes, &parsed);
	if (rpc_message_decode_call(record, bytes, &call))
		return;
	rpc_dispatch_scratch_init(&scratch);
	rpc_buffer_init(&reply, RECORD_MAX);
	n = rpc_dispatch_answer(&dispatch, &peer, &call, &scratch, &reply, 4);
	if (n <= 0 ||
	    rpc_message_decode_reply(reply.bytes + 4, (size_t)n, &parsed) ||
	    parsed.xid != call.xid)
		abort();
	rpc_buffer_fini(&reply);
	rpc_dispatch_scratch_fini(&scratch);
}

/* A copy of exactly that length: too far is seen. */
static void answer_exact(const uint8_t *record, size_t bytes)
{
	uint8_t *exact = malloc(bytes ? bytes : 1);

	if (exact) {
		memcpy(exact, record, bytes);
		answer(exact, bytes);
	}
	free(exact);
}

/* The stream comes in pieces, as long as the size says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpc_record_reader reader;
	size_t room, at = 0, piece = size % 61 + 1;
	uint8_t *record, *to;
	ssize_t n = -EAGAIN;

	rpc_record_init(&reader, -1, RECORD_MAX, 0);
	while (n >= 0 || (n == -EAGAIN && at < size)) {
		if (n == -EAGAIN) {
			if (rpc_record_room(&reader, &to, &room) || room == 0)
				abort();
			room = room < piece ? room : piece;
			room = room < size - at ? room : size - at;
			memcpy(to, data + at, room);
			rpc_record_add(&reader, room);
			at += room;
		}
		n = rpc_record_next(&reader, &record);
		if (n > RECORD_MAX)
			abort();
		if (n >= 0)
			answer_exact(record, (size_t)n);
	}
	rpc_record_fini(&reader);
	return 0;
}
