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

int sums_add_1_svc(const struct rpc_request *request, sums_operands *operands,
		   quad_t *sum)
{
	(void)request;
	*sum = (quad_t)operands->a + operands->b;
	return 0;
}

int sums_subtract_1_svc(const struct rpc_request *request,
			sums_operands *operands, quad_t *difference)
{
	(void)request;
	*difference = (quad_t)operands->a - operands->b;
	return 0;
}

int sums_multiply_1_svc(const struct rpc_request *request,
			sums_operands *operands, quad_t *product)
{
	(void)request;
	*product = (quad_t)operands->a * operands->b;
	return 0;
}

int sums_whoami_1_svc(const struct rpc_request *request, sums_caller *caller)
{
	char text[DESCRIPTION];

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
		.programs = sums_programs,
		.n_programs = SUMS_PROGRAMS,
		.flavors = service->flavors,
		.n_flavors = n,
		.authorise = authorise,
		.arg = service,
	};
}
