// Programs that are killed at random moments: the next one finds nothing in its way, a resumed run has the bits of one that
// was left alone, and a file is the old or the new one. Here a few kills; more, for example a thousand trainings of both
// kinds and a thousand files, which takes hours:
//   KILLS=1000 tests/test_failures -tc="*killed*"
#include <chrono>
#include <random>
#include <thread>

#include "tests/failures/jobs.hpp"
#include "tests/support/child_process.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

using Seconds = std::chrono::duration<double>;

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return Seconds(std::chrono::steady_clock::now() - begin).count();
}

// Whether the program was still running when it was killed.
bool run_and_kill(const std::string& program, const Words& words, double after_s) {
  const TemporaryFolder folder;
  ChildProcess process(program, words, folder / "output");
  std::this_thread::sleep_for(Seconds(after_s));
  const bool running = process.running();
  process.send(SIGKILL);
  process.wait();
  return running;
}

void check_killed_run(const TinyRun& tiny, int kills, unsigned seed) {
  std::mt19937 random(seed);
  const double whole_s = seconds_of([&] { REQUIRE(tiny.train().status == 0); });
  const RunOutcome expected = run_outcome(tiny.run());
  int killed = 0;
  while (killed < kills) {
    fs::remove_all(tiny.run());
    // Now and then the resumed run is killed too.
    do {
      const bool begun = fs::exists(tiny.run() + "/config.toml");
      killed += run_and_kill(TinyRun::program(), begun ? tiny.resumed() : tiny.fresh(),
                             std::uniform_real_distribution(0.0, whole_s)(random));
    } while (random() % 2 == 0);
    const auto last = go_on(tiny);
    CAPTURE(killed);
    CHECK_MESSAGE(last.status == 0, last.err);
    CHECK(run_outcome(tiny.run()) == expected);
    CHECK(no_leftovers(tiny.run()));
  }
  MESSAGE(killed, " runs were killed");
}

}  // namespace

TEST_CASE("killed trainings: a resume is exact") {
  check_killed_run(TinyTraining(), count_from("KILLS", 8), 1);
}

TEST_CASE("killed trainings of depth networks: a resume is exact") {
  check_killed_run(TinyDepth(), count_from("KILLS", 4), 2);
}

TEST_CASE("killed writers of files: the old file or the new one") {
  const TinyTraining tiny;
  std::mt19937 random(3);
  int killed = 0, kept = 0;
  const int kills = count_from("KILLS", 10);
  while (killed < kills)
    for (const FileJob& job : file_jobs(tiny)) {
      fs::remove(job.output);
      const double whole_s = seconds_of([&] { REQUIRE(run_program(job.program, job.words).status == 0); });
      const std::string fresh = read_text(job.output);
      std::ofstream(job.output) << "old";
      killed += run_and_kill(job.program, job.words, std::uniform_real_distribution(0.0, whole_s)(random));
      CAPTURE(job.output);
      const std::string left = read_text(job.output);
      CHECK((left == "old" || left == fresh));
      kept += left == "old";
      REQUIRE(run_program(job.program, job.words).status == 0);  // sweeps what is left
      CHECK(read_text(job.output) == fresh);
      CHECK(no_leftovers(tiny.path()));
    }
  MESSAGE(killed, " programs were killed, ", kept, " old files were kept");
}
