/* The calls are those that rpcgen has made of calc.x. A request to accumulate
 * keeps its name until it has an answer, and then the next one gets the next
 * number: after a fault nobody knows whether the server has seen it, so that
 * the client takes another random number and begins with 1 again. */
#include "p16-rpc-calc/remote.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "p16-rpc-calc/calc.h"

struct remote {
	struct rpc_client *client;
	uint32_t version;
	calc_request_id last; /* sequence 0: a new name is needed */
};

enum rpc_fault_kind remote_open(struct remote **remote,
				const struct remote_options *options,
				struct rpc_fault *fault)
{
	bool is_unix = options->transport == RPC_UNIX;
	const struct rpc_client_options client = {
		.transport = options->transport,
		.host = is_unix ? NULL : options->host,
		.unix_path = is_unix ? options->host : NULL,
		.port = options->port,
		.program = CALC_PROG,
		.version = CALC_VERS_2,
		.connect_ns = options->timeout_ns,
		.timeout_ns = options->timeout_ns,
		.retries = options->retries,
		.may_repeat = true,
	};
	struct remote *new = calloc(1, sizeof(*new));

	*fault = (struct rpc_fault){.kind = RPC_FAULT_LOCAL, .error = ENOMEM};
	if (!new)
		return fault->kind;
	new->version = CALC_VERS_2;
	if (rpc_client_open(&new->client, &client, fault)) {
		free(new);
		return fault->kind;
	}
	*remote = new;
	return RPC_FAULT_NONE;
}

void remote_close(struct remote *remote)
{
	if (!remote)
		return;
	rpc_client_close(remote->client);
	free(remote);
}

uint32_t remote_version(const struct remote *remote)
{
	return remote->version;
}

/* Whether the server has version 1 and not ours; it is spoken from now on. */
static bool falls_back(struct remote *remote, const struct rpc_fault *fault)
{
	if (fault->kind != RPC_FAULT_VERSION || remote->version == CALC_VERS ||
	    fault->low > CALC_VERS || fault->high < CALC_VERS)
		return false;
	remote->version = CALC_VERS;
	rpc_client_set_version(remote->client, CALC_VERS);
	return true;
}

/* What version 1 is asked for and does not have. */
static enum rpc_fault_kind refuse(struct rpc_fault *fault)
{
	*fault = (struct rpc_fault){
		.kind = RPC_FAULT_VERSION, .low = CALC_VERS, .high = CALC_VERS};
	return fault->kind;
}

/* After a stub has returned. */
static enum rpc_fault_kind fault_of(const struct remote *remote,
				    enum clnt_stat stat,
				    struct rpc_fault *fault)
{
	if (stat == RPC_SUCCESS)
		return RPC_FAULT_NONE;
	*fault = *rpc_client_fault(remote->client);
	return fault->kind;
}

static struct remote_answer answer_of(const calc_answer *answer)
{
	switch (answer->status) {
	case CALC_DONE:
		return (struct remote_answer){
			.value = answer->calc_answer_u.value};
	case CALC_OVERFLOW:
		return (struct remote_answer){.result = -EOVERFLOW};
	case CALC_DIVISION_BY_ZERO:
		return (struct remote_answer){.result = -EDOM};
	case CALC_OUT_OF_ORDER:
		return (struct remote_answer){.result = -ESTALE};
	case CALC_TOO_MANY_CLIENTS:
		return (struct remote_answer){.result = -EBUSY};
	case CALC_NO_OPERATION:
		break;
	}
	return (struct remote_answer){.result = -EINVAL};
}

/* ---- version 1 ---- */

static bool is_32(int64_t value)
{
	return value >= INT32_MIN && value <= INT32_MAX;
}

/* A server of version 1 may well answer with what is left of a number that
 * was too large: do not ask for one. */
static enum rpc_fault_kind evaluate_1(struct remote *remote,
				      const struct remote_expression *e,
				      struct remote_answer *answer,
				      struct rpc_fault *fault)
{
	CLIENT *handle = rpc_client_handle(remote->client);
	operands o = {(int)e->a, (int)e->b};
	enum clnt_stat stat;
	int value = 0;

	if (e->operation == ARITH_DIVIDE || !is_32(e->a) || !is_32(e->b))
		return refuse(fault);
	answer->result = arith_evaluate_32(e->operation, o.a, o.b, &value);
	if (answer->result)
		return RPC_FAULT_NONE;
	if (e->operation == ARITH_ADD)
		stat = add_1(o, &value, handle);
	else if (e->operation == ARITH_SUBTRACT)
		stat = subtract_1(o, &value, handle);
	else
		stat = multiply_1(o, &value, handle);
	answer->value = value;
	return fault_of(remote, stat, fault);
}

/* ---- version 2 ---- */

static enum rpc_fault_kind evaluate_2(struct remote *remote,
				      const struct remote_expression *e,
				      struct remote_answer *answer,
				      struct rpc_fault *fault)
{
	CLIENT *handle = rpc_client_handle(remote->client);
	calc_operands o = {e->a, e->b};
	calc_answer result = {0};
	enum clnt_stat stat;

	if (e->operation == ARITH_ADD)
		stat = add_2(o, &result, handle);
	else if (e->operation == ARITH_SUBTRACT)
		stat = subtract_2(o, &result, handle);
	else if (e->operation == ARITH_MULTIPLY)
		stat = multiply_2(o, &result, handle);
	else
		stat = divide_2(o, &result, handle);
	*answer = answer_of(&result);
	return fault_of(remote, stat, fault);
}

static enum rpc_fault_kind evaluate_batch(struct remote *remote,
					  const struct remote_expression *e,
					  size_t n,
					  struct remote_answer *answers,
					  struct rpc_fault *fault)
{
	calc_expression expressions[CALC_BATCH_MAX];
	calc_batch batch = {(u_int)n, expressions};
	calc_answers result = {0};
	enum rpc_fault_kind kind;

	for (size_t i = 0; i < n; i++)
		expressions[i] = (calc_expression){
			(calc_operation)e[i].operation, {e[i].a, e[i].b}};
	kind = fault_of(
		remote,
		batch_2(batch, &result, rpc_client_handle(remote->client)),
		fault);
	if (kind)
		return kind;
	if (result.calc_answers_len != n) {
		*fault = (struct rpc_fault){.kind = RPC_FAULT_BAD_REPLY,
					    .was_sent = true};
		kind = fault->kind;
	} else {
		for (size_t i = 0; i < n; i++)
			answers[i] = answer_of(&result.calc_answers_val[i]);
	}
	xdr_free((xdrproc_t)xdr_calc_answers, (char *)&result);
	return kind;
}

/* As many as one call takes: *n becomes how many those were. */
static enum rpc_fault_kind evaluate_some(struct remote *remote,
					 const struct remote_expression *e,
					 size_t *n,
					 struct remote_answer *answers,
					 struct rpc_fault *fault)
{
	if (remote->version == CALC_VERS || *n == 1) {
		*n = 1;
		return remote->version == CALC_VERS
			       ? evaluate_1(remote, e, answers, fault)
			       : evaluate_2(remote, e, answers, fault);
	}
	if (*n > CALC_BATCH_MAX)
		*n = CALC_BATCH_MAX;
	return evaluate_batch(remote, e, *n, answers, fault);
}

enum rpc_fault_kind remote_evaluate(struct remote *remote,
				    const struct remote_expression *expressions,
				    size_t n, struct remote_answer *answers,
				    struct rpc_fault *fault)
{
	size_t done = 0;

	while (done < n) {
		size_t some = n - done;

		if (!evaluate_some(remote, expressions + done, &some,
				   answers + done, fault))
			done += some;
		else if (!falls_back(remote, fault))
			return fault->kind;
	}
	return RPC_FAULT_NONE;
}

/* ---- accumulate ---- */

static int take_name(struct remote *remote)
{
	ssize_t n;

	if (remote->last.sequence != 0)
		return 0;
	n = getrandom(&remote->last.client, sizeof(remote->last.client), 0);
	return n == sizeof(remote->last.client) ? 0 : -EIO;
}

enum rpc_fault_kind remote_accumulate(struct remote *remote, int64_t amount,
				      struct remote_answer *answer,
				      struct rpc_fault *fault)
{
	calc_accumulation request = {.amount = amount};
	calc_answer result = {0};
	enum clnt_stat stat;

	if (remote->version == CALC_VERS)
		return refuse(fault);
	if (take_name(remote)) {
		*fault = (struct rpc_fault){.kind = RPC_FAULT_LOCAL,
					    .error = EIO};
		return fault->kind;
	}
	request.id = remote->last;
	request.id.sequence++;
	stat = accumulate_2(request, &result,
			    rpc_client_handle(remote->client));
	if (fault_of(remote, stat, fault)) {
		remote->last.sequence = 0;
		falls_back(remote, fault);
		return fault->kind;
	}
	*answer = answer_of(&result);
	/* Refused ones did not count. */
	remote->last.sequence =
		answer->result == -ESTALE || answer->result == -EBUSY
			? 0
			: request.id.sequence;
	return RPC_FAULT_NONE;
}
