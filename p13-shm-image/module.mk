$(call library,shm_image,p13-shm-image,source.c picture.c png_in.c pnm_in.c segment.c crew.c crew_worker.c crew_death.c crew_stall.c gauss.c blur.c filter.c stripe.c png_out.c pnm_out.c job.c,libpng zlib)
$(call program,shm_image_filter,p13-shm-image,shm_image_filter.c arguments.c report.c,shm_image)
$(call bench,p13-shm-image,bench.c,shm_image)
HEADERS += p13-shm-image/crew.h p13-shm-image/segment.h
# The inner loops are written for the compiler to vectorise.
ifeq ($(MODE),release)
$(B)/p13-shm-image/gauss.o $(B)/p13-shm-image/blur.o $(B)/p13-shm-image/filter.o $(B)/p13-shm-image/stripe.o: CFLAGS += -O3
endif
