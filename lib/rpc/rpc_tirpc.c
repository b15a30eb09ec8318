/* rpc_tirpc.c - the seven operations of an AUTH, called by those of a flavor. */
#include "lib/rpc/rpc_tirpc.h"

#include <errno.h>

static ssize_t seal(void *state, uint64_t *token, uint8_t *message, size_t n,
		    size_t room)
{
	AUTH *auth = state;
	XDR xdrs;

	(void)token;
	xdrmem_create(&xdrs, (char *)message + n, (u_int)(room - n),
		      XDR_ENCODE);
	if (!AUTH_MARSHALL(auth, &xdrs))
		return -EMSGSIZE;
	return (ssize_t)(n + xdr_getpos(&xdrs));
}

static bool wrap(void *state, uint64_t token, XDR *xdrs, xdrproc_t xdr_args,
		 void *args)
{
	AUTH *auth = state;

	(void)token;
	return AUTH_WRAP(auth, xdrs, xdr_args, args);
}

static bool validate(void *state, uint64_t token, const struct rpc_opaque *verf)
{
	AUTH *auth = state;
	struct opaque_auth raw = {
		.oa_flavor = (enum_t)verf->flavor,
		.oa_base = (char *)(uintptr_t)verf->body,
		.oa_length = verf->bytes,
	};

	(void)token;
	return AUTH_VALIDATE(auth, &raw);
}

static bool unwrap(void *state, uint64_t token, XDR *xdrs, xdrproc_t xdr_result,
		   void *result)
{
	AUTH *auth = state;

	(void)token;
	return AUTH_UNWRAP(auth, xdrs, xdr_result, result);
}

/* libtirpc's flavors want the message for that. */
static bool refresh(void *state, uint64_t token, enum auth_stat why)
{
	struct rpc_msg message = {.rm_direction = REPLY};
	AUTH *auth = state;

	(void)token;
	message.rm_reply.rp_stat = MSG_DENIED;
	message.rjcted_rply.rj_stat = AUTH_ERROR;
	message.rjcted_rply.rj_why = why;
	return AUTH_REFRESH(auth, &message);
}

static void destroy(void *state)
{
	AUTH *auth = state;

	auth_destroy(auth);
}

struct rpc_auth_client rpc_tirpc_flavor(AUTH *auth)
{
	return (struct rpc_auth_client){
		.number = (uint32_t)auth->ah_cred.oa_flavor,
		.name = rpc_auth_flavor_name((uint32_t)auth->ah_cred.oa_flavor),
		.seal = seal,
		.wrap = wrap,
		.validate = validate,
		.unwrap = unwrap,
		.refresh = refresh,
		.destroy = destroy,
		.state = auth,
	};
}
