// OpenCV in this process. The result goes into the same matrix each time.
#include <cstdio>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

extern "C" {
#include "lib/tick.h"
#include "p13-shm-image/bench/peer.h"
}

namespace
{
cv::Mat from, to;

int open(const uint8_t *pixels, uint32_t width, uint32_t height)
{
	cv::setNumThreads(PEER_WORKERS);
	from = cv::Mat(static_cast<int>(height), static_cast<int>(width),
		       CV_8UC3, const_cast<uint8_t *>(pixels));
	return 0;
}

int64_t blur(double sigma, const uint8_t **result)
{
	try {
		int64_t start = tick_now(), ns;

		cv::GaussianBlur(from, to, cv::Size(), sigma, sigma,
				 cv::BORDER_REPLICATE);
		ns = tick_now() - start;
		if (result)
			*result = to.data;
		return ns;
	} catch (const cv::Exception &e) {
		fprintf(stderr, "OpenCV: %s\n", e.what());
		return -1;
	}
}
} // namespace

extern "C" const struct peer peer_opencv = {"OpenCV", open, blur};
