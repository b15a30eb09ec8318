# Everything built, on Debian 12:
#
#   docker build -t unixipc .
#   docker run --rm -it --privileged unixipc
#
# --privileged is for scripts/sandbox, which makes namespaces of its own, and
# for the strace of the READMEs. Less will do:
#
#   --cap-add SYS_ADMIN --cap-add SYS_PTRACE \
#   --security-opt seccomp=unconfined --security-opt apparmor=unconfined
#
# The limits of message queues are those of the host, see ./ipc_suite doctor.
FROM debian:12-slim
WORKDIR /unixipc
COPY scripts/install-deps scripts/
RUN scripts/install-deps --test && rm -rf /var/lib/apt/lists/*
COPY . .
RUN make -j "$(nproc)"
CMD ["bash"]
