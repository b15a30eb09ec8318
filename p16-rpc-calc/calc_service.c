#include "p16-rpc-calc/calc_service.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/tick.h"
#include "p16-rpc-calc/arith.h"
#include "p16-rpc-calc/calc.h"

/* The numbers of procedures and those of operations are the same. */
_Static_assert((int)ADD == (int)ARITH_ADD &&
		       (int)SUBTRACT == (int)ARITH_SUBTRACT &&
		       (int)MULTIPLY == (int)ARITH_MULTIPLY &&
		       (int)DIVIDE == (int)ARITH_DIVIDE,
	       "calc.x and arith.h number the operations alike");
_Static_assert((int)CALC_ADD == (int)ARITH_ADD &&
		       (int)CALC_SUBTRACT == (int)ARITH_SUBTRACT &&
		       (int)CALC_MULTIPLY == (int)ARITH_MULTIPLY &&
		       (int)CALC_DIVIDE == (int)ARITH_DIVIDE,
	       "calc.x and arith.h number the operations alike");

/* ---- version 1: operands -> int ---- */

static int serve_32(const struct rpc_request *request, void *args, void *result)
{
	const operands *o = args;

	return arith_evaluate_32(
		(enum arith_operation)request->procedure->number, o->a, o->b,
		result);
}

/* ---- version 2 ---- */

static void set_answer(calc_answer *answer, int r, int64_t value)
{
	switch (r) {
	case 0:
		answer->status = CALC_DONE;
		answer->calc_answer_u.value = value;
		break;
	case -EOVERFLOW:
		answer->status = CALC_OVERFLOW;
		break;
	case -EDOM:
		answer->status = CALC_DIVISION_BY_ZERO;
		break;
	case -ESTALE:
		answer->status = CALC_OUT_OF_ORDER;
		break;
	case -EBUSY:
		answer->status = CALC_TOO_MANY_CLIENTS;
		break;
	default:
		answer->status = CALC_NO_OPERATION;
		break;
	}
}

static void evaluate(unsigned int operation, const calc_operands *o,
		     calc_answer *answer)
{
	int64_t value = 0;
	int r = arith_evaluate((enum arith_operation)operation, o->a, o->b,
			       &value);

	set_answer(answer, r, value);
}

/* calc_operands -> calc_answer */
static int serve_64(const struct rpc_request *request, void *args, void *result)
{
	evaluate(request->procedure->number, args, result);
	return 0;
}

static int serve_batch(const struct rpc_request *request, void *args,
		       void *result)
{
	const calc_batch *batch = args;
	calc_answers *answers = result;

	(void)request;
	if (batch->calc_batch_len == 0)
		return 0;
	answers->calc_answers_val =
		calloc(batch->calc_batch_len, sizeof(calc_answer));
	if (!answers->calc_answers_val)
		return -ENOMEM;
	answers->calc_answers_len = batch->calc_batch_len;
	for (u_int i = 0; i < batch->calc_batch_len; i++) {
		const calc_expression *e = &batch->calc_batch_val[i];

		evaluate((unsigned int)e->operation, &e->operands,
			 &answers->calc_answers_val[i]);
	}
	return 0;
}

static int serve_accumulate(const struct rpc_request *request, void *args,
			    void *result)
{
	const struct calc_service *service = request->arg;
	const calc_accumulation *a = args;
	int64_t total = 0;
	int r = accumulator_add(service->accumulator, a->id.client,
				a->id.sequence, a->amount, tick_now(), &total);

	set_answer(result, r, total);
	return 0;
}

/* The bytes go from the arguments to the result: each is freed once. */
static int serve_echo(const struct rpc_request *request, void *args,
		      void *result)
{
	calc_bytes *from = args, *to = result;

	(void)request;
	*to = *from;
	*from = (calc_bytes){0};
	return 0;
}

/* ---- the tables ---- */

#define XDR(type) ((xdrproc_t)xdr_##type)
#define PURE(n, word, function, from, to)                             \
	{                                                             \
		.number = (n), .name = (word), .xdr_args = XDR(from), \
		.args_bytes = sizeof(from), .xdr_result = XDR(to),    \
		.result_bytes = sizeof(to), .serve = (function),      \
		.flags = RPC_IDEMPOTENT                               \
	}

static const struct rpc_procedure version_1[] = {
	RPC_DISPATCH_NULL,
	PURE(ADD, "add", serve_32, operands, int),
	PURE(SUBTRACT, "subtract", serve_32, operands, int),
	PURE(MULTIPLY, "multiply", serve_32, operands, int),
};

static const struct rpc_procedure version_2[] = {
	RPC_DISPATCH_NULL,
	PURE(ADD, "add", serve_64, calc_operands, calc_answer),
	PURE(SUBTRACT, "subtract", serve_64, calc_operands, calc_answer),
	PURE(MULTIPLY, "multiply", serve_64, calc_operands, calc_answer),
	PURE(DIVIDE, "divide", serve_64, calc_operands, calc_answer),
	PURE(BATCH, "batch", serve_batch, calc_batch, calc_answers),
	{.number = ACCUMULATE,
	 .name = "accumulate",
	 .xdr_args = XDR(calc_accumulation),
	 .args_bytes = sizeof(calc_accumulation),
	 .xdr_result = XDR(calc_answer),
	 .result_bytes = sizeof(calc_answer),
	 .serve = serve_accumulate},
	PURE(CALC_ECHO, "echo", serve_echo, calc_bytes, calc_bytes),
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

const struct rpc_program calc_service_programs[CALC_SERVICE_PROGRAMS] = {
	{CALC_PROG, CALC_VERS, version_1, COUNT(version_1)},
	{CALC_PROG, CALC_VERS_2, version_2, COUNT(version_2)},
};
