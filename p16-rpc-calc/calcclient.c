/* The calls are those that rpcstub has made of calc.x. A request to accumulate
 * keeps its name until it has an answer, and then the next one gets the next
 * number: after a fault nobody knows whether the server has seen it, so that
 * the client takes another random number and begins with 1 again. */
#include "p16-rpc-calc/calcclient.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "p16-rpc-calc/arith.h"

struct calcclient {
	struct rpc_client *rpc;
	uint32_t version;
	calc_request_id last; /* sequence 0: a new name is needed */
};

enum rpc_fault_kind calcclient_open(struct calcclient **client,
				    const struct rpc_client_options *options,
				    struct rpc_fault *fault)
{
	struct rpc_client_options full = *options;
	struct calcclient *new = calloc(1, sizeof(*new));

	*fault = (struct rpc_fault){.kind = RPC_FAULT_LOCAL, .error = ENOMEM};
	if (!new)
		return fault->kind;
	full.program = CALC_PROG;
	full.version = new->version = CALC_VERS_2;
	full.may_repeat = true;
	if (rpc_client_open(&new->rpc, &full, fault)) {
		free(new);
		return fault->kind;
	}
	*client = new;
	return RPC_FAULT_NONE;
}

void calcclient_close(struct calcclient *client)
{
	if (!client)
		return;
	rpc_client_close(client->rpc);
	free(client);
}

uint32_t calcclient_version(const struct calcclient *client)
{
	return client->version;
}

/* Whether the server has version 1 and not ours; it is spoken from now on. */
static bool falls_back(struct calcclient *client, const struct rpc_fault *fault)
{
	if (fault->kind != RPC_FAULT_VERSION || client->version == CALC_VERS ||
	    fault->low > CALC_VERS || fault->high < CALC_VERS)
		return false;
	client->version = CALC_VERS;
	return true;
}

/* What version 1 is asked for and does not have. */
static enum rpc_fault_kind refuse(struct rpc_fault *fault)
{
	*fault = (struct rpc_fault){
		.kind = RPC_FAULT_VERSION, .low = CALC_VERS, .high = CALC_VERS};
	return fault->kind;
}

/* ---- version 1 ---- */

static bool is_32(int64_t value)
{
	return value >= INT32_MIN && value <= INT32_MAX;
}

static enum rpc_fault_kind (*const calls_1[])(struct rpc_client *client,
					      const operands *o, int *value,
					      struct rpc_fault *fault) = {
	[CALC_ADD] = calc_add_1,
	[CALC_SUBTRACT] = calc_subtract_1,
	[CALC_MULTIPLY] = calc_multiply_1,
};

/* A server of version 1 may well answer with what is left of a number that
 * was too large: do not ask for one. */
static enum rpc_fault_kind evaluate_1(struct calcclient *client,
				      const calc_expression *e,
				      calc_answer *answer,
				      struct rpc_fault *fault)
{
	operands o = {(int)e->operands.a, (int)e->operands.b};
	enum rpc_fault_kind kind;
	int value = 0;

	if (e->operation == CALC_DIVIDE || !is_32(e->operands.a) ||
	    !is_32(e->operands.b))
		return refuse(fault);
	answer->status = arith_evaluate_32(e->operation, o.a, o.b, &value);
	if (answer->status)
		return RPC_FAULT_NONE;
	kind = calls_1[e->operation](client->rpc, &o, &value, fault);
	answer->calc_answer_u.value = value;
	return kind;
}

/* ---- version 2 ---- */

static enum rpc_fault_kind evaluate_2(struct calcclient *client,
				      const calc_expression *e,
				      calc_answer *answer,
				      struct rpc_fault *fault)
{
	const calc_operands *o = &e->operands;

	switch (e->operation) {
	case CALC_ADD:
		return calc_add_2(client->rpc, o, answer, fault);
	case CALC_SUBTRACT:
		return calc_subtract_2(client->rpc, o, answer, fault);
	case CALC_MULTIPLY:
		return calc_multiply_2(client->rpc, o, answer, fault);
	default:
		return calc_divide_2(client->rpc, o, answer, fault);
	}
}

static enum rpc_fault_kind evaluate_batch(struct calcclient *client,
					  const calc_expression *e, size_t n,
					  calc_answer *answers,
					  struct rpc_fault *fault)
{
	/* Only read. */
	calc_batch batch = {(u_int)n, (calc_expression *)(uintptr_t)e};
	calc_answers result;

	if (calc_batch_2(client->rpc, &batch, &result, fault))
		return fault->kind;
	if (result.calc_answers_len == n)
		memcpy(answers, result.calc_answers_val, n * sizeof(*answers));
	else
		*fault = (struct rpc_fault){.kind = RPC_FAULT_BAD_REPLY,
					    .was_sent = true};
	xdr_free((xdrproc_t)xdr_calc_answers, (char *)&result);
	return fault->kind;
}

/* As many as one call takes: *n becomes how many those were. */
static enum rpc_fault_kind evaluate_some(struct calcclient *client,
					 const calc_expression *e, size_t *n,
					 calc_answer *answers,
					 struct rpc_fault *fault)
{
	if (*n > CALC_BATCH_MAX)
		*n = CALC_BATCH_MAX;
	if (client->version == CALC_VERS_2 && *n > 1)
		return evaluate_batch(client, e, *n, answers, fault);
	*n = 1;
	return client->version == CALC_VERS
		       ? evaluate_1(client, e, answers, fault)
		       : evaluate_2(client, e, answers, fault);
}

enum rpc_fault_kind calcclient_evaluate(struct calcclient *client,
					const calc_expression *expressions,
					size_t n, calc_answer *answers,
					struct rpc_fault *fault)
{
	size_t done = 0;

	*fault = (struct rpc_fault){0};
	while (done < n) {
		size_t some = n - done;

		if (!evaluate_some(client, expressions + done, &some,
				   answers + done, fault))
			done += some;
		else if (!falls_back(client, fault))
			return fault->kind;
	}
	return RPC_FAULT_NONE;
}

/* ---- accumulate ---- */

static int take_name(struct calcclient *client)
{
	ssize_t n;

	if (client->last.sequence != 0)
		return 0;
	n = getrandom(&client->last.client, sizeof(client->last.client), 0);
	return n == sizeof(client->last.client) ? 0 : -EIO;
}

enum rpc_fault_kind calcclient_accumulate(struct calcclient *client,
					  int64_t amount, calc_answer *answer,
					  struct rpc_fault *fault)
{
	calc_accumulation request = {.amount = amount};

	if (client->version == CALC_VERS)
		return refuse(fault);
	if (take_name(client)) {
		*fault = (struct rpc_fault){.kind = RPC_FAULT_LOCAL,
					    .error = EIO};
		return fault->kind;
	}
	request.id = client->last;
	request.id.sequence++;
	if (calc_accumulate_2(client->rpc, &request, answer, fault)) {
		client->last.sequence = 0;
		falls_back(client, fault);
		return fault->kind;
	}
	/* Refused ones did not count. */
	client->last.sequence =
		answer->status == CALC_OUT_OF_ORDER ||
				answer->status == CALC_TOO_MANY_CLIENTS
			? 0
			: request.id.sequence;
	return RPC_FAULT_NONE;
}
