$(call library,shm_image,p13-shm-image,source.c picture.c png_in.c pnm_in.c segment.c crew.c crew_worker.c crew_death.c crew_stall.c gauss.c blur.c filter.c stripe.c png_out.c pnm_out.c job.c,libpng zlib)
# Apart, for its fuzz target; it ends the process, and is not installed.
$(call library,shm_image_arguments,p13-shm-image,arguments.c,,shm_image)
$(call program,shm_image_filter,p13-shm-image,shm_image_filter.c report.c,shm_image_arguments)
# The blurs of others, each where its package is installed.
IMAGE_OPENCV := $(wildcard /usr/include/opencv4/opencv2/imgproc.hpp)
IMAGE_VIPS := $(if $(call pkg,modversion,vips),vips)
$(call bench,p13-shm-image,bench.c contest.c limit.c $(if $(IMAGE_VIPS),peer_vips.c) \
	$(if $(IMAGE_OPENCV),peer_opencv.cc),shm_image p06,$(IMAGE_VIPS))
$(call helper,contest_ours,p13-shm-image,contest_ours.c,shm_image)
ifneq ($(IMAGE_OPENCV),)
$(B)/p13-shm-image/peer_opencv.o: CPPFLAGS += -isystem /usr/include/opencv4
LD_$(B)/p13-shm-image/bench := -Wl,--no-as-needed -lopencv_imgproc \
	-lopencv_core -Wl,--as-needed
endif
HEADERS += p13-shm-image/crew.h p13-shm-image/segment.h
# The inner loops are written for the compiler to vectorise.
ifeq ($(MODE),release)
$(B)/p13-shm-image/gauss.o $(B)/p13-shm-image/blur.o $(B)/p13-shm-image/filter.o $(B)/p13-shm-image/stripe.o: CFLAGS += -O3
endif
