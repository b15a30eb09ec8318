#include "p17-rpc-auth/service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "p17-rpc-auth/authsys.h"
#include "p17-rpc-auth/sums.h"

enum { DESCRIPTION = 300 };

const char *const service_procedures[] = {
	"null", "add", "subtract", "multiply", "whoami", NULL,
};

/* ---- procedures: two operands of 32 bits always fit a result of 64 ---- */

static int add(const struct rpc_request *request, void *args, void *result)
{
	const sums_operands *operands = args;
	quad_t *sum = result;

	(void)request;
	*sum = (quad_t)operands->a + operands->b;
	return 0;
}

static int subtract(const struct rpc_request *request, void *args, void *result)
{
	const sums_operands *operands = args;
	quad_t *difference = result;

	(void)request;
	*difference = (quad_t)operands->a - operands->b;
	return 0;
}

static int multiply(const struct rpc_request *request, void *args, void *result)
{
	const sums_operands *operands = args;
	quad_t *product = result;

	(void)request;
	*product = (quad_t)operands->a * operands->b;
	return 0;
}

static int whoami(const struct rpc_request *request, void *args, void *result)
{
	sums_caller *caller = result;
	char text[DESCRIPTION];

	(void)args;
	caller->text =
		strdup(service_describe(request->who, text, sizeof(text)));
	return caller->text ? 0 : -ENOMEM;
}

const char *service_describe(const struct rpc_identity *who, char *buf,
			     size_t size)
{
	const char *proof = who->is_proved ? "proved" : "said";
	const char *name = rpc_auth_flavor_name(who->flavor);

	if (who->flavor == AUTH_DH)
		snprintf(buf, size, "%s %s (%s)", name, who->name, proof);
	else if (who->has_uid)
		snprintf(buf, size, "%s uid=%u gid=%u (%s)", name, who->uid,
			 who->gid, proof);
	else
		snprintf(buf, size, "%s (nobody)", name);
	return buf;
}

/* ---- the table ---- */

/* Not RPC_IDEMPOTENT, although all are: over UDP a call that is repeated has
 * an old timestamp, and must be answered from memory. */
#define ARITHMETIC(number_, name_, serve_)                         \
	{                                                          \
		.number = (number_), .name = (name_),              \
		.xdr_args = (xdrproc_t)xdr_sums_operands,          \
		.args_bytes = sizeof(sums_operands),               \
		.xdr_result = (xdrproc_t)xdr_quad_t,               \
		.result_bytes = sizeof(quad_t), .serve = (serve_), \
	}

static const struct rpc_procedure procedures[] = {
	{.number = SUMS_NULL, .name = "null"},
	ARITHMETIC(SUMS_ADD, "add", add),
	ARITHMETIC(SUMS_SUBTRACT, "subtract", subtract),
	ARITHMETIC(SUMS_MULTIPLY, "multiply", multiply),
	{
		.number = SUMS_WHOAMI,
		.name = "whoami",
		.xdr_result = (xdrproc_t)xdr_sums_caller,
		.result_bytes = sizeof(sums_caller),
		.serve = whoami,
	},
};

static const struct rpc_program program = {
	.program = SUMS_PROG,
	.version = SUMS_VERS,
	.procedures = procedures,
	.n_procedures = sizeof(procedures) / sizeof(procedures[0]),
};

/* ---- who may call ---- */

static bool is_too_weak(const struct service *service,
			const struct rpc_identity *who)
{
	if (service->auth == SERVICE_DES)
		return who->flavor != AUTH_DH;
	return service->auth == SERVICE_SYS && who->flavor == AUTH_NONE;
}

static enum auth_stat authorise(const struct rpc_request *request)
{
	const struct service *service = request->arg;
	uint32_t procedure = request->procedure->number;
	enum auth_stat why = AUTH_TOOWEAK;

	/* Procedure 0 is for finding out whether anybody is there. */
	if (procedure == SUMS_NULL || !is_too_weak(service, request->who))
		why = policy_ask(&service->policy, procedure, request->who);
	if (service->on_call)
		service->on_call(request, why);
	return why;
}

void service_dispatch(struct service *service, struct rpc_dispatch *dispatch)
{
	size_t n = 0;

	/* Those that are too weak are here as well, to be told so. */
	service->flavors[n++] = &rpc_auth_none;
	service->flavors[n++] = &authsys_flavor;
	if (service->dh)
		service->flavors[n++] = authdh_server_flavor(service->dh);
	*dispatch = (struct rpc_dispatch){
		.programs = &program,
		.n_programs = 1,
		.flavors = service->flavors,
		.n_flavors = n,
		.authorise = authorise,
		.arg = service,
	};
}
