$(call library,shm_image,p13-shm-image,segment.c pages.c pool.c pool_worker.c \
	pool_watch.c job.c image/source.c image/picture.c \
	image/ancillary.c image/png.c image/pnm.c image/gauss.c image/blur.c \
	image/filter.c image/idat.c,\
	libpng zlib)
# Apart, for its fuzz target; it ends the process, and is not installed.
$(call library,shm_image_arguments,p13-shm-image,cmd/arguments.c,,shm_image)
$(call program,shm_image_filter,p13-shm-image,cmd/shm_image_filter.c \
	cmd/report.c,shm_image_arguments)
# The blurs of others, each where its package is installed.
IMAGE_OPENCV := $(wildcard /usr/include/opencv4/opencv2/imgproc.hpp)
IMAGE_VIPS := $(if $(call pkg,modversion,vips),vips)
$(call bench,p13-shm-image,bench/bench.c bench/peer.c bench/scaling.c \
	$(if $(IMAGE_VIPS),bench/peer_vips.c) \
	$(if $(IMAGE_OPENCV),bench/peer_opencv.cc),shm_image p06,$(IMAGE_VIPS))
$(call helper,peer_ours,p13-shm-image,bench/peer_ours.c,shm_image)
ifneq ($(IMAGE_OPENCV),)
$(B)/p13-shm-image/bench/peer_opencv.o: CPPFLAGS += -isystem /usr/include/opencv4
LD_$(B)/p13-shm-image/bench/bench := -Wl,--no-as-needed -lopencv_imgproc \
	-lopencv_core -Wl,--as-needed
endif
$(call mechanism,pool,p13-shm-image/pool.h p13-shm-image/segment.h,shm_image)
# The inner loops are written for the compiler to vectorise.
ifeq ($(MODE),release)
$(patsubst %,$(B)/p13-shm-image/image/%.o,gauss blur filter idat): \
	CFLAGS += -O3
endif
