/* calc_service.c - the functions that calc.h wants of a service, for both
 * versions; in the dispatch that uses calc_programs, arg is a struct
 * accumulator that outlives it. Version 1 cannot say that a result has no place
 * in 32 bits: such a call is answered with SYSTEM_ERR, as a wrong number would
 * be believed. Threads call at the same time; nothing here blocks. */
#include <errno.h>
#include <stdlib.h>

#include "lib/rpc/rpc_share.h"
#include "lib/tick.h"
#include "p16-rpc-calc/accumulator.h"
#include "p16-rpc-calc/arith.h"
#include "p16-rpc-calc/calc.h"

_Static_assert((int)CALC_ADD == (int)ARITH_ADD &&
		       (int)CALC_SUBTRACT == (int)ARITH_SUBTRACT &&
		       (int)CALC_MULTIPLY == (int)ARITH_MULTIPLY &&
		       (int)CALC_DIVIDE == (int)ARITH_DIVIDE,
	       "calc.x and arith.h number the operations alike");

/* ---- version 1 ---- */

int calc_add_1_svc(const struct rpc_request *request, operands *o, int *sum)
{
	(void)request;
	return arith_evaluate_32(ARITH_ADD, o->a, o->b, sum);
}

int calc_subtract_1_svc(const struct rpc_request *request, operands *o,
			int *difference)
{
	(void)request;
	return arith_evaluate_32(ARITH_SUBTRACT, o->a, o->b, difference);
}

int calc_multiply_1_svc(const struct rpc_request *request, operands *o,
			int *product)
{
	(void)request;
	return arith_evaluate_32(ARITH_MULTIPLY, o->a, o->b, product);
}

/* ---- version 2: there is always an answer ---- */

static int answer_with(calc_answer *answer, int error, int64_t value)
{
	switch (error) {
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
	return 0;
}

static int evaluate(calc_operation operation, const calc_operands *o,
		    calc_answer *answer)
{
	int64_t value = 0;
	int error = arith_evaluate((enum arith_operation)operation, o->a, o->b,
				   &value);

	return answer_with(answer, error, value);
}

int calc_add_2_svc(const struct rpc_request *request, calc_operands *o,
		   calc_answer *answer)
{
	(void)request;
	return evaluate(CALC_ADD, o, answer);
}

int calc_subtract_2_svc(const struct rpc_request *request, calc_operands *o,
			calc_answer *answer)
{
	(void)request;
	return evaluate(CALC_SUBTRACT, o, answer);
}

int calc_multiply_2_svc(const struct rpc_request *request, calc_operands *o,
			calc_answer *answer)
{
	(void)request;
	return evaluate(CALC_MULTIPLY, o, answer);
}

int calc_divide_2_svc(const struct rpc_request *request, calc_operands *o,
		      calc_answer *answer)
{
	(void)request;
	return evaluate(CALC_DIVIDE, o, answer);
}

int calc_batch_2_svc(const struct rpc_request *request, calc_batch *batch,
		     calc_answers *answers)
{
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

		evaluate(e->operation, &e->operands,
			 &answers->calc_answers_val[i]);
	}
	return 0;
}

int calc_accumulate_2_svc(const struct rpc_request *request,
			  calc_accumulation *a, calc_answer *answer)
{
	int64_t total = 0;
	int error = accumulator_add(
		request->arg, rpc_share_owner(request->peer), a->id.client,
		a->id.sequence, a->amount, tick_now(), &total);

	return answer_with(answer, error, total);
}

/* The bytes go from the arguments to the result: each is freed once. */
int calc_echo_2_svc(const struct rpc_request *request, calc_bytes *from,
		    calc_bytes *to)
{
	(void)request;
	*to = *from;
	*from = (calc_bytes){0};
	return 0;
}
