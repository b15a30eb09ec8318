/* stock_server: the procedures of calc.x behind rpcgen's own main() and
 * libtirpc's svc_run(), with results in static memory as rpcgen wants them. */
#include <stdlib.h>
#include <string.h>

#include "calc.h"

static int result;
static calc_answer answer;

static calc_answer *done(quad_t value)
{
	answer.status = CALC_DONE;
	answer.calc_answer_u.value = value;
	return &answer;
}

int *add_1_svc(operands *o, struct svc_req *request)
{
	result = o->a + o->b;
	return &result;
}

int *subtract_1_svc(operands *o, struct svc_req *request)
{
	result = o->a - o->b;
	return &result;
}

int *multiply_1_svc(operands *o, struct svc_req *request)
{
	result = o->a * o->b;
	return &result;
}

void *calc_null_2_svc(void *nothing, struct svc_req *request)
{
	return &result;
}

calc_answer *add_2_svc(calc_operands *o, struct svc_req *request)
{
	return done(o->a + o->b);
}

calc_answer *subtract_2_svc(calc_operands *o, struct svc_req *request)
{
	return done(o->a - o->b);
}

calc_answer *multiply_2_svc(calc_operands *o, struct svc_req *request)
{
	return done(o->a * o->b);
}

calc_answer *divide_2_svc(calc_operands *o, struct svc_req *request)
{
	if (o->b != 0)
		return done(o->a / o->b);
	answer.status = CALC_DIVISION_BY_ZERO;
	return &answer;
}

/* Sums alone. */
calc_answers *batch_2_svc(calc_batch *batch, struct svc_req *request)
{
	static calc_answer each[CALC_BATCH_MAX];
	static calc_answers answers = {0, each};

	answers.calc_answers_len = batch->calc_batch_len;
	for (u_int i = 0; i < batch->calc_batch_len; i++)
		each[i] =
			*add_2_svc(&batch->calc_batch_val[i].operands, request);
	return &answers;
}

calc_answer *accumulate_2_svc(calc_accumulation *a, struct svc_req *request)
{
	static quad_t sum;

	return done(sum += a->amount);
}

calc_bytes *calc_echo_2_svc(calc_bytes *bytes, struct svc_req *request)
{
	static char block[CALC_ECHO_MAX];
	static calc_bytes back = {0, block};

	back.calc_bytes_len = bytes->calc_bytes_len;
	memcpy(block, bytes->calc_bytes_val, bytes->calc_bytes_len);
	return &back;
}
