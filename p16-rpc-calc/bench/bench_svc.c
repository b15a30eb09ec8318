/* The server that libtirpc brings along, as rpcgen's main() would run it: one
 * thread in svc_run. Its clients are ours, so that servers are compared. */
#include <errno.h>
#include <rpc/rpc.h>
#include <string.h>

#include "p16-rpc-calc/bench/bench_side.h"
#include "p16-rpc-calc/calc.h"

static void echo(SVCXPRT *xprt)
{
	calc_bytes bytes = {0};

	if (!svc_getargs(xprt, (xdrproc_t)xdr_calc_bytes, &bytes)) {
		svcerr_decode(xprt);
		return;
	}
	svc_sendreply(xprt, (xdrproc_t)xdr_calc_bytes, &bytes);
	svc_freeargs(xprt, (xdrproc_t)xdr_calc_bytes, &bytes);
}

static void dispatch(struct svc_req *request, SVCXPRT *xprt)
{
	if (request->rq_proc == CALC_NULL)
		svc_sendreply(xprt, (xdrproc_t)(void (*)(void))xdr_void, NULL);
	else if (request->rq_proc == CALC_ECHO)
		echo(xprt);
	else
		svcerr_noproc(xprt);
}

static int serve(const struct bench_case *c, struct bench_address *at,
		 struct rig_gate *gate)
{
	int listener = bench_listen(c, at), r;
	SVCXPRT *xprt;

	if (listener < 0)
		return listener;
	xprt = c->transport == BENCH_UDP ? svc_dg_create(listener, 0, 0)
					 : svc_vc_create(listener, 0, 0);
	if (!xprt || !svc_reg(xprt, CALC_PROG, CALC_VERS_2, dispatch, NULL))
		return -ENOMEM;
	r = rig_serve(gate);
	if (r == 0)
		svc_run();
	return r ? r : -EPIPE;
}

const struct bench_side bench_svc = {
	.name = "svc_run",
	.serve = serve,
	.open = bench_open_rpc,
	.call = bench_call_rpc,
	.close = bench_close_rpc,
};
