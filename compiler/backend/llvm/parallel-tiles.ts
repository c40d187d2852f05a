/**
 * The part of the thread pool that hands out tiles, as LLVM IR: each worker has a part of its own, and takes from those of
 * the others when it is done. In phases that are cut alike a thread finds in its caches what it wrote in the phase before.
 */

/** Helpers a pool may have; with the caller one more thread works. */
export const maximumWorkers = 64;

/** Taking ranges of this share of a thread's part keeps the counters cold and the end even. */
export const rangesPerThread = 8;

/** The first tile of each worker that nobody has taken; a cache line each. */
export const tileParts = `
%spx.part = type { i64, [7 x i64] }

@spx.parts = internal global [${maximumWorkers + 1} x %spx.part] zeroinitializer, align 64
`;

/** `spx.work` takes ranges of tiles until none is left, those of the worker's own part first. */
export const tileWork = `define internal i64 @spx.first(i64 %part, i64 %tiles, i64 %workers) #0 {
entry:
  %product = mul i64 %part, %tiles
  %first = udiv i64 %product, %workers
  ret i64 %first
}

define internal i64* @spx.counter(i64 %part) #0 {
entry:
  %counter = getelementptr [${maximumWorkers + 1} x %spx.part], [${maximumWorkers + 1} x %spx.part]* @spx.parts, i64 0, i64 %part, i32 0
  ret i64* %counter
}

define internal void @spx.work(void (i8*, i64)* %run, i8* %context, i64 %tiles, i64 %chunk, i64 %workers, i64 %worker) #0 {
entry:
  br label %part
part:
  %turn = phi i64 [ 0, %entry ], [ %nextTurn, %finished ]
  %shifted = add i64 %worker, %turn
  %number = urem i64 %shifted, %workers
  %following = add i64 %number, 1
  %end = call i64 @spx.first(i64 %following, i64 %tiles, i64 %workers)
  %counter = call i64* @spx.counter(i64 %number)
  br label %next
next:
  %begin = atomicrmw add i64* %counter, i64 %chunk monotonic
  %remains = icmp slt i64 %begin, %end
  br i1 %remains, label %run.range, label %finished
run.range:
  %full = add i64 %begin, %chunk
  %to = call i64 @llvm.smin.i64(i64 %full, i64 %end)
  call void @spx.range(void (i8*, i64)* %run, i8* %context, i64 %begin, i64 %to)
  br label %next
finished:
  %nextTurn = add i64 %turn, 1
  %more = icmp ult i64 %nextTurn, %workers
  br i1 %more, label %part, label %done
done:
  ret void
}

define internal void @spx.range(void (i8*, i64)* %run, i8* %context, i64 %begin, i64 %end) #0 {
entry:
  br label %head
head:
  %tile = phi i64 [ %begin, %entry ], [ %following, %body ]
  %remains = icmp slt i64 %tile, %end
  br i1 %remains, label %body, label %done
body:
  call void %run(i8* %context, i64 %tile)
  %following = add nsw i64 %tile, 1
  br label %head
done:
  ret void
}
`;
