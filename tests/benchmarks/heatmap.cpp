// The heat map of state norms: what drawing costs when a token is added, and when everything is drawn anew.
// heatmap prints milliseconds by the tokens it shows, of 30 layers with 9 heads at 900x600.
#include "lens/headhistory.h"

#include <QApplication>
#include <QElapsedTimer>
#include <algorithm>
#include <cstdio>

using namespace lens;

namespace {

constexpr std::int64_t kLayers = 30, kHeads = 9;

HeadFrame tokensFrom(std::int64_t first, std::int64_t count)
{
    HeadFrame frame{first, count, kLayers, kHeads, {}, HeadQuantity::StateNorm};
    frame.values.resize(static_cast<std::size_t>(count * kLayers * kHeads));
    for (std::size_t i = 0; i < frame.values.size(); ++i)
        frame.values[i] = static_cast<float>((i * 2654435761u + static_cast<std::size_t>(first)) % 1000);
    return frame;
}

/// The median of some runs, in milliseconds.
template <class F>
double median(const F &draw)
{
    std::vector<double> times;
    for (int i = 0; i < 15; ++i) {
        QElapsedTimer timer;
        timer.start();
        draw();
        times.push_back(static_cast<double>(timer.nsecsElapsed()) / 1e6);
    }
    std::nth_element(times.begin(), times.begin() + 7, times.end());
    return times[7];
}

} // namespace

int main(int argc, char **argv)
{
    const QApplication application(argc, argv);
    const char *separator = "{";
    for (const std::int64_t tokens : {256, 2048, 16384}) {
        const auto history = std::make_shared<HeadHistory>();
        history->append(tokensFrom(0, tokens));
        HeatMapPlot plot;
        plot.resize(900, 600);
        plot.setSource(std::make_shared<HeadSource>(history, RowLayout{kLayers, kHeads}));
        plot.show();
        plot.drawNow();
        const double frame = median([&] {
            const std::int64_t last = history->tokens();
            history->append(tokensFrom(last, 1));
            plot.refresh(last);
            plot.drawNow();
        });
        const double whole = median([&] {
            plot.refresh();
            plot.drawNow();
        });
        std::printf("%s\"one more token, %lld\": %.2f, \"anew, %lld\": %.2f", separator, static_cast<long long>(tokens), frame,
                    static_cast<long long>(tokens), whole);
        separator = ", ";
    }
    std::puts("}");
    return 0;
}
