/* Threads that take shares of a kernel's work.
 *
 * A share is taken by whoever comes first, so a thread that gets no processor delays nobody. Which thread did what
 * changes no result: shares are cut by size alone. Threads that find no work wait actively for a while, yielding the
 * processor to whoever wants it, then sleep. */
#include "bp.h"

#include <stdatomic.h>

#ifdef _WIN32 /* one thread, for lack of pthreads */

int64_t bp_set_threads(int64_t threads) { return threads > 0 ? 1 : 1; }

void bp_share(Share *work, const Call *call, int64_t parts) {
    for (int64_t part = 0; part < parts; part++) work(call, part, parts);
}

#else

#include <pthread.h>
#include <sched.h>
#include <time.h>

enum { MOST = 64, LOOKS = 64, PATIENCE = 100 }; /* LOOKS between two yields; microseconds until a thread sleeps */

typedef struct {
    Share *work;
    const Call *call;
    int64_t parts;
} Job;

static pthread_mutex_t in_use = PTHREAD_MUTEX_INITIALIZER; /* one kernel at a time has the threads */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t called = PTHREAD_COND_INITIALIZER;
static Job job;                       /* written while nobody is inside */
static atomic_llong round_, next_, done_; /* jobs so far; shares taken and finished of this one */
static atomic_llong open_;            /* the job that may be entered, or 0 */
static atomic_int inside, sleeping;   /* threads that may look at the job; that wait to be called */
static int64_t running = 1;
static atomic_llong wanted = 1;
static _Thread_local int nested;

static inline void pause_(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void take_shares(void) {
    const Job mine = job;
    nested = 1;
    for (long long part; (part = atomic_fetch_add(&next_, 1)) < mine.parts;) {
        mine.work(mine.call, part, mine.parts);
        atomic_fetch_add(&done_, 1);
    }
    nested = 0;
}

/* Until a job after `seen` is there. */
static long long wait_for_job(long long seen) {
    int64_t until = microseconds() + PATIENCE;
    for (;;) {
        for (int look = 0; look < LOOKS; look++) {
            if (atomic_load(&round_) != seen) return atomic_load(&round_);
            pause_();
        }
        if (microseconds() < until) {
            sched_yield();
            continue;
        }
        pthread_mutex_lock(&lock);
        atomic_fetch_add(&sleeping, 1);
        while (atomic_load(&round_) == seen) pthread_cond_wait(&called, &lock);
        atomic_fetch_sub(&sleeping, 1);
        pthread_mutex_unlock(&lock);
    }
}

static void *worker(void *number) {
    const int64_t mine = (int64_t)(intptr_t)number;
    for (long long seen = 0;;) {
        seen = wait_for_job(seen);
        if (mine >= wanted) continue; /* fewer threads are wanted at present */
        atomic_fetch_add(&inside, 1);
        if (atomic_load(&open_) == seen) take_shares();
        atomic_fetch_sub(&inside, 1);
    }
    return NULL;
}

/* In a process made by fork there is none of the threads. */
static void after_fork(void) {
    running = 1;
    atomic_store(&inside, 0);
    atomic_store(&sleeping, 0);
    atomic_store(&open_, 0);
    pthread_mutex_init(&in_use, NULL);
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&called, NULL);
}

static void start_threads(void) {
    static int registered;
    if (!registered++) pthread_atfork(NULL, NULL, after_fork);
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    for (; running < wanted; running++) {
        pthread_t thread;
        if (pthread_create(&thread, &detached, worker, (void *)(intptr_t)running)) break;
    }
    pthread_attr_destroy(&detached);
}

/* How many threads take shares from now on, the caller among them. Returns how many did before. */
int64_t bp_set_threads(int64_t threads) {
    pthread_mutex_lock(&in_use);
    const int64_t before = wanted;
    wanted = larger(1, smaller(threads, MOST));
    pthread_mutex_unlock(&in_use);
    return before;
}

void bp_share(Share *work, const Call *call, int64_t parts) {
    if (parts <= 1 || nested || wanted <= 1 || pthread_mutex_trylock(&in_use)) {
        for (int64_t part = 0; part < parts; part++) work(call, part, parts);
        return;
    }
    if (running < wanted) start_threads();
    job = (Job){work, call, parts};
    atomic_store(&next_, 0);
    atomic_store(&done_, 0);
    const long long mine = atomic_load(&round_) + 1;
    atomic_store(&open_, mine);
    atomic_store(&round_, mine);
    if (atomic_load(&sleeping)) {
        pthread_mutex_lock(&lock);
        pthread_cond_broadcast(&called);
        pthread_mutex_unlock(&lock);
    }
    take_shares();
    for (int look = 1; atomic_load(&done_) < parts; look++) look % LOOKS ? pause_() : (void)sched_yield();
    atomic_store(&open_, 0);
    for (int look = 1; atomic_load(&inside); look++) look % LOOKS ? pause_() : (void)sched_yield();
    pthread_mutex_unlock(&in_use);
}

#endif
