// Writes prompts and tokens without end, for tst_storekill to kill. Says on stdout what is on the disk, one line each:
//   P <turn> <n>          the prompt "prompt <n>" is stored
//   T <generation> <n>    its first n tokens are stored
//   F <generation> <n>    it has ended with n tokens
#include "store/tokenwriter.h"
#include "store/workspace.h"

#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>

using namespace lens;

namespace {

void say(char what, RowId row, long long number)
{
    std::printf("%c %lld %lld\n", what, static_cast<long long>(row), number);
    std::fflush(stdout);
}

template <class T>
T must(Result<T> result)
{
    if (!result) {
        std::fprintf(stderr, "%s\n", toString(result.error()).c_str());
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

void generate(Workspace &workspace, const GenerationStart &start, std::mt19937 &random)
{
    GenerationStore &store = workspace.generations();
    const RowId id = must(store.begin(start));
    say('T', id, 0);
    TokenWriter writer(store, id, std::chrono::milliseconds(2));
    const int count = 200 + static_cast<int>(random() % 400);
    for (int i = 0; i < count; ++i) {
        StoredToken token;
        token.id = i;
        token.text = " t" + std::to_string(i);
        must(writer.append(std::move(token)));
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        if (i % 10 == 0)
            must(writer.append(HeadFrame{i, 1, 2, 4, std::vector<float>(8, static_cast<float>(i))}));
        if (writer.waiting() == 0)
            say('T', id, i + 1);
    }
    must(writer.finish({}));
    say('F', id, count);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const auto workspace = must(Workspace::open(argv[1]));
    std::mt19937 random(static_cast<unsigned>(std::atoi(argv[2])));
    ModelInfo info;
    info.name = "tiny";
    const RowId model = must(workspace->models().record(info));
    for (int session = 0;; ++session) {
        ColumnRow column;
        column.model = model;
        TurnRow turn;
        turn.session = must(workspace->sessions().create("session", {column, column}));
        const auto columns = must(workspace->sessions().columns(turn.session));
        for (unsigned i = 0; i < 1 + random() % 4; ++i) {
            const unsigned number = random();
            turn.prompt = "prompt " + std::to_string(number);
            const RowId id = must(workspace->sessions().addTurn(turn));
            say('P', id, number);
            generate(*workspace, {id, columns[i % 2].id, model, "", "cpu", "float32", "0", {}, {1, 2}}, random);
            turn.parent = id;
        }
    }
}
