/**
 * `spx_parallel`, the thread pool that every artefact carries: LLVM IR on top of libc's threads and Linux
 * futexes, so that kernels need neither OpenMP nor LLVM at run time.
 *
 * One job at a time owns the pool (`lock`); a call that finds it taken, or has nothing to share, runs its tiles
 * itself. `gate` says whether the job may be joined and by whom: bits 0-7 helpers inside, bits 8-15 seats
 * left, bit 16 open, bit 17 caller asleep. Helpers read the job only between joining and leaving, and the caller
 * gives the lock back only when the closed gate is empty: a helper that wakes late finds a closed gate or joins
 * a later job, both correct. `generation` counts jobs and is what idle helpers wait for. Helpers live until the
 * process ends, so that the library must be linked with `-z nodelete`.
 */
import { attributeGroup, createIrModule, printIrModule } from "./ir-module.ts";
import { maximumWorkers, rangesPerThread, tileParts, tileWork } from "./parallel-tiles.ts";

/** Turns of `pause` before an idle helper sleeps: 13 microseconds on Zen, 45 on Skylake. */
const idleTurns = 1000;

/** Turns of `pause` before a caller sleeps that waits for helpers inside their last tiles. */
const closingTurns = 4000;

const insideMask = 0xff;
const seat = 0x100;
const seatMask = 0xff00;
const open = 0x10000;
const asleep = 0x20000;

const futexCall = 202;
const futexWaitPrivate = 128;
const futexWakePrivate = 129;
const replaceSignalMask = 2;

const globals = `%spx.job = type { void (i8*, i64)*, i8*, i64, i64, i64 }

@spx.lock = internal global i32 0, align 64
@spx.helpers = internal global i32 0, align 4
@spx.gate = internal global i32 0, align 64
@spx.generation = internal global i32 0, align 64
@spx.sleepers = internal global i32 0, align 4
@spx.job = internal global %spx.job zeroinitializer, align 64

declare i32 @pthread_create(i64*, i8*, i8* (i8*)*, i8*)
declare i32 @pthread_detach(i64)
declare i32 @pthread_sigmask(i32, i8*, i8*)
declare i64 @syscall(i64, ...)
declare void @llvm.x86.sse2.pause()
declare void @llvm.memset.p0i8.i64(i8*, i8, i64, i1 immarg)
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.umax.i64(i64, i64)
declare i32 @llvm.umin.i32(i32, i32)
`;

const parallel = `define hidden void @spx_parallel(void (i8*, i64)* %run, i8* %context, i64 %tiles, i32 %threads) #0 {
entry:
  %threads64 = sext i32 %threads to i64
  %useful = call i64 @llvm.smin.i64(i64 %threads64, i64 %tiles)
  %bounded = call i64 @llvm.smin.i64(i64 %useful, i64 ${maximumWorkers + 1})
  %wanted64 = sub i64 %bounded, 1
  %shares = icmp sgt i64 %wanted64, 0
  br i1 %shares, label %take, label %serial
take:
  %taking = cmpxchg i32* @spx.lock, i32 0, i32 1 acquire monotonic
  %taken = extractvalue { i32, i1 } %taking, 1
  br i1 %taken, label %grow, label %serial
grow:
  %wanted = trunc i64 %wanted64 to i32
  %helpers = call i32 @spx.grow(i32 %wanted)
  %alone = icmp eq i32 %helpers, 0
  br i1 %alone, label %abandon, label %publish
abandon:
  store atomic i32 0, i32* @spx.lock release, align 64
  br label %serial
publish:
  %workers = add i32 %helpers, 1
  %workers64 = zext i32 %workers to i64
  %ranges = mul i64 %workers64, ${rangesPerThread}
  %share = udiv i64 %tiles, %ranges
  %chunk = call i64 @llvm.umax.i64(i64 %share, i64 1)
  store void (i8*, i64)* %run, void (i8*, i64)** getelementptr (%spx.job, %spx.job* @spx.job, i64 0, i32 0)
  store i8* %context, i8** getelementptr (%spx.job, %spx.job* @spx.job, i64 0, i32 1)
  store i64 %tiles, i64* getelementptr (%spx.job, %spx.job* @spx.job, i64 0, i32 2)
  store i64 %chunk, i64* getelementptr (%spx.job, %spx.job* @spx.job, i64 0, i32 3)
  store i64 %workers64, i64* getelementptr (%spx.job, %spx.job* @spx.job, i64 0, i32 4)
  br label %deal
deal:
  %dealt = phi i64 [ 0, %publish ], [ %following, %deal ]
  %first = call i64 @spx.first(i64 %dealt, i64 %tiles, i64 %workers64)
  %counter = call i64* @spx.counter(i64 %dealt)
  store atomic i64 %first, i64* %counter monotonic, align 64
  %following = add i64 %dealt, 1
  %undealt = icmp ult i64 %following, %workers64
  br i1 %undealt, label %deal, label %invite
invite:
  %seats = mul i32 %helpers, ${seat}
  %gate = or i32 %seats, ${open}
  store atomic i32 %gate, i32* @spx.gate release, align 64
  %previous = atomicrmw add i32* @spx.generation, i32 1 seq_cst
  %sleepers = load atomic i32, i32* @spx.sleepers seq_cst, align 4
  %someSleep = icmp ne i32 %sleepers, 0
  br i1 %someSleep, label %wake, label %work
wake:
  %woken = call i64 (i64, ...) @syscall(i64 ${futexCall}, i32* @spx.generation, i32 ${futexWakePrivate}, i32 %helpers)
  br label %work
work:
  call void @spx.work(void (i8*, i64)* %run, i8* %context, i64 %tiles, i64 %chunk, i64 %workers64, i64 0)
  %closed = atomicrmw and i32* @spx.gate, i32 ${insideMask} acq_rel
  call void @spx.settle()
  store atomic i32 0, i32* @spx.lock release, align 64
  ret void
serial:
  call void @spx.range(void (i8*, i64)* %run, i8* %context, i64 0, i64 %tiles)
  ret void
}
`;

/** Returns when no helper is inside the closed gate. */
const settle = `define internal void @spx.settle() #0 {
entry:
  br label %spin
spin:
  %turn = phi i64 [ 0, %entry ], [ %nextTurn, %again ]
  %seen = load atomic i32, i32* @spx.gate acquire, align 64
  %inside = and i32 %seen, ${insideMask}
  %empty = icmp eq i32 %inside, 0
  br i1 %empty, label %done, label %again
again:
  call void @llvm.x86.sse2.pause()
  %nextTurn = add i64 %turn, 1
  %patient = icmp ult i64 %nextTurn, ${closingTurns}
  br i1 %patient, label %spin, label %check
check:
  %now = load atomic i32, i32* @spx.gate acquire, align 64
  %stillInside = and i32 %now, ${insideMask}
  %nowEmpty = icmp eq i32 %stillInside, 0
  br i1 %nowEmpty, label %done, label %announce
announce:
  %sleeping = or i32 %now, ${asleep}
  %announcing = cmpxchg i32* @spx.gate, i32 %now, i32 %sleeping acq_rel acquire
  %announced = extractvalue { i32, i1 } %announcing, 1
  br i1 %announced, label %sleep, label %check
sleep:
  %slept = call i64 (i64, ...) @syscall(i64 ${futexCall}, i32* @spx.gate, i32 ${futexWaitPrivate}, i32 %sleeping, i8* null)
  br label %check
done:
  ret void
}
`;

/**
 * Creates helpers until there are `wanted`, under the lock, and returns how many of them there are. All signals
 * stay blocked in helpers: handlers of the process must run on its own threads. A thread that cannot be
 * created is not an error; the work is done by those that exist.
 */
const grow = `define internal i32 @spx.grow(i32 %wanted) #0 {
entry:
  %blocked = alloca [16 x i64], align 16
  %restored = alloca [16 x i64], align 16
  %thread = alloca i64, align 8
  %blockedBytes = bitcast [16 x i64]* %blocked to i8*
  %restoredBytes = bitcast [16 x i64]* %restored to i8*
  %existing = load i32, i32* @spx.helpers, align 4
  %enough = icmp uge i32 %existing, %wanted
  br i1 %enough, label %done, label %block
block:
  call void @llvm.memset.p0i8.i64(i8* %blockedBytes, i8 -1, i64 128, i1 false)
  %masked = call i32 @pthread_sigmask(i32 ${replaceSignalMask}, i8* %blockedBytes, i8* %restoredBytes)
  br label %create
create:
  %count = phi i32 [ %existing, %block ], [ %more, %created ]
  %full = icmp uge i32 %count, %wanted
  br i1 %full, label %restore, label %attempt
attempt:
  %number = add i32 %count, 1
  %argument = inttoptr i32 %number to i8*
  %failure = call i32 @pthread_create(i64* %thread, i8* null, i8* (i8*)* @spx.helper, i8* %argument)
  %failed = icmp ne i32 %failure, 0
  br i1 %failed, label %restore, label %created
created:
  %id = load i64, i64* %thread, align 8
  %detached = call i32 @pthread_detach(i64 %id)
  %more = add i32 %count, 1
  br label %create
restore:
  store i32 %count, i32* @spx.helpers, align 4
  %unmasked = call i32 @pthread_sigmask(i32 ${replaceSignalMask}, i8* %restoredBytes, i8* null)
  br label %done
done:
  %total = phi i32 [ %existing, %entry ], [ %count, %restore ]
  %usable = call i32 @llvm.umin.i32(i32 %total, i32 %wanted)
  ret i32 %usable
}
`;

/** The life of a helper: join the job of the gate if there is a seat, then wait for the next generation. */
const helper = `define internal i8* @spx.helper(i8* %argument) #0 {
entry:
  %helper = ptrtoint i8* %argument to i64
  br label %look
look:
  %generation = load atomic i32, i32* @spx.generation seq_cst, align 64
  br label %try
try:
  %seen = load atomic i32, i32* @spx.gate acquire, align 64
  %openBit = and i32 %seen, ${open}
  %seatBits = and i32 %seen, ${seatMask}
  %isOpen = icmp ne i32 %openBit, 0
  %hasSeat = icmp ne i32 %seatBits, 0
  %joinable = and i1 %isOpen, %hasSeat
  br i1 %joinable, label %join, label %idle
join:
  %joined = add i32 %seen, ${1 - seat}
  %joining = cmpxchg i32* @spx.gate, i32 %seen, i32 %joined acq_rel acquire
  %inside = extractvalue { i32, i1 } %joining, 1
  br i1 %inside, label %work, label %try
work:
  %run = load void (i8*, i64)*, void (i8*, i64)** getelementptr (%spx.job, %spx.job* @spx.job, i64 0, i32 0)
  %context = load i8*, i8** getelementptr (%spx.job, %spx.job* @spx.job, i64 0, i32 1)
  %tiles = load i64, i64* getelementptr (%spx.job, %spx.job* @spx.job, i64 0, i32 2)
  %chunk = load i64, i64* getelementptr (%spx.job, %spx.job* @spx.job, i64 0, i32 3)
  %workers = load i64, i64* getelementptr (%spx.job, %spx.job* @spx.job, i64 0, i32 4)
  %worker = urem i64 %helper, %workers
  call void @spx.work(void (i8*, i64)* %run, i8* %context, i64 %tiles, i64 %chunk, i64 %workers, i64 %worker)
  %left = atomicrmw sub i32* @spx.gate, i32 1 acq_rel
  %insideBefore = and i32 %left, ${insideMask}
  %asleepBit = and i32 %left, ${asleep}
  %wasLast = icmp eq i32 %insideBefore, 1
  %callerSleeps = icmp ne i32 %asleepBit, 0
  %mustWake = and i1 %wasLast, %callerSleeps
  br i1 %mustWake, label %wake, label %idle
wake:
  %woken = call i64 (i64, ...) @syscall(i64 ${futexCall}, i32* @spx.gate, i32 ${futexWakePrivate}, i32 1)
  br label %idle
idle:
  %turn = phi i64 [ 0, %try ], [ 0, %work ], [ 0, %wake ], [ %nextTurn, %pause ]
  %current = load atomic i32, i32* @spx.generation acquire, align 64
  %changed = icmp ne i32 %current, %generation
  br i1 %changed, label %look, label %pause
pause:
  call void @llvm.x86.sse2.pause()
  %nextTurn = add i64 %turn, 1
  %patient = icmp ult i64 %nextTurn, ${idleTurns}
  br i1 %patient, label %idle, label %sleep
sleep:
  %more = atomicrmw add i32* @spx.sleepers, i32 1 seq_cst
  %slept = call i64 (i64, ...) @syscall(i64 ${futexCall}, i32* @spx.generation, i32 ${futexWaitPrivate}, i32 %generation, i8* null)
  %fewer = atomicrmw sub i32* @spx.sleepers, i32 1 seq_cst
  br label %look
}
`;

/** The pool as a module of its own, to be linked into the module of the kernels. */
export function parallelRuntimeIr(): string {
  const module = createIrModule();
  attributeGroup(module, `nounwind noinline "target-cpu"="x86-64"`);
  module.functions.push(parallel, settle, tileWork, grow, helper);
  return printIrModule(module, globals + tileParts);
}
