"""The scheduler, in LLVM IR: runs the threads of each block in turn until all have ended.

A block's warps run one after another. Within a warp every thread runs to its next wait; warp-wide instructions are
settled as soon as every living thread that they name waits at the same one; when no thread of any warp can go on,
barriers are. Living threads that can then still not go on are a deadlock.
"""

from __future__ import annotations

import re
from typing import Final

from . import prelude
from .prelude import CTX, FRAME, LOCAL_ID, ROW, ROW_WORDS
from .warp import FAIL_TEXT, SETTLE_TEXT

# The notation is that of warp.py.
_BLOCKS = r"""
; Settles the barriers of a block whose threads all wait: 0 all have ended, 1 some go on, 2 an error.
define internal i32 @barriers(ptr %ctx, ptr %frames, i32 %n) noinline {
entry:
  %fb = call i64 @state(ptr %ctx, i64 ctx.frame_bytes)
  br label %count
count:
  %i = phi i32 [0, %entry], [%i1, %count_lane]
  %live = phi i32 [0, %entry], [%live1, %count_lane]
  %seen = phi i32 [0, %entry], [%seen1, %count_lane]
  %first = phi i32 [-1, %entry], [%first1, %count_lane]
  %more = icmp ult i32 %i, %n
  br i1 %more, label %count_lane, label %counted
count_lane:
  %f = call ptr @frame_of(ptr %frames, i32 %i, i64 %fb)
  %kind = call i32 @word(ptr %f, i64 frame.kind)
  %bar = call i32 @word(ptr %f, i64 frame.bar)
  %alive = icmp ne i32 %kind, $EXITED
  %alive32 = zext i1 %alive to i32
  %live1 = add i32 %live, %alive32
  %none_yet = icmp eq i32 %first, -1
  %is_first = and i1 %none_yet, %alive
  %first1 = select i1 %is_first, i32 %i, i32 %first
  %at_bar = icmp eq i32 %kind, $BARRIER
  %capped = call i32 @llvm.umin.i32(i32 %bar, i32 16)
  %bit0 = shl i32 1, %capped
  %bit = select i1 %at_bar, i32 %bit0, i32 0
  %seen1 = or i32 %seen, %bit
  %i1 = add i32 %i, 1
  br label %count
counted:
  %all_gone = icmp eq i32 %live, 0
  br i1 %all_gone, label %ended, label %number
ended:
  ret i32 0
number:
  %b = phi i32 [0, %counted], [%b1, %numbered]
  %released = phi i32 [0, %counted], [%released1, %numbered]
  %bmore = icmp ult i32 %b, 17
  br i1 %bmore, label %is_used, label %decide
is_used:
  %used = call i1 @named(i32 %seen, i32 %b)
  br i1 %used, label %tally, label %numbered
numbered:
  %released1 = phi i32 [%released, %is_used], [%released, %enough], [1, %release]
  %b1 = add i32 %b, 1
  br label %number
decide:
  %any = icmp ne i32 %released, 0
  br i1 %any, label %go_on, label %deadlock
go_on:
  ret i32 1
deadlock:
  %d = call ptr @frame_of(ptr %frames, i32 %first, i64 %fb)
  call void @fail_lane(ptr %ctx, i64 $E_DEADLOCK, ptr %d, i64 0)
  ret i32 2

tally:
  %j = phi i32 [0, %is_used], [%j1, %tally_next]
  %waiting = phi i32 [0, %is_used], [%waiting1, %tally_next]
  %need = phi i32 [-2, %is_used], [%need1, %tally_next]
  %wpc = phi i32 [-1, %is_used], [%wpc1, %tally_next]
  %jmore = icmp ult i32 %j, %n
  br i1 %jmore, label %tally_lane, label %tallied
tally_lane:
  %g = call ptr @frame_of(ptr %frames, i32 %j, i64 %fb)
  %gkind = call i32 @word(ptr %g, i64 frame.kind)
  %gbar = call i32 @word(ptr %g, i64 frame.bar)
  %gcount = call i32 @word(ptr %g, i64 frame.count)
  %gpc = call i32 @word(ptr %g, i64 frame.pc)
  %gmode = call i32 @word(ptr %g, i64 frame.mode)
  %g_at = icmp eq i32 %gkind, $BARRIER
  %gcap = call i32 @llvm.umin.i32(i32 %gbar, i32 16)
  %g_here = icmp eq i32 %gcap, %b
  %here = and i1 %g_at, %g_here
  %here32 = zext i1 %here to i32
  %waiting1 = add i32 %waiting, %here32
  %need1 = select i1 %here, i32 %gcount, i32 %need
  %fresh = icmp eq i32 %need, -2
  %same = icmp eq i32 %need, %gcount
  %low5 = and i32 %gcount, 31
  %whole = icmp eq i32 %low5, 0
  %everyone = icmp eq i32 %gcount, -1
  %positive = icmp sgt i32 %gcount, 0
  %sound0 = and i1 %whole, %positive
  %sound1 = or i1 %sound0, %everyone
  %agree = or i1 %fresh, %same
  %valid = icmp ult i32 %gbar, 16
  %sound2 = and i1 %sound1, %agree
  %sound3 = and i1 %sound2, %valid
  %elsewhere = xor i1 %here, true
  %sound = or i1 %sound3, %elsewhere
  br i1 %sound, label %check_pc, label %bad_count
bad_count:
  %gcount64 = sext i32 %gcount to i64
  call void @fail_lane(ptr %ctx, i64 $E_COUNT, ptr %g, i64 %gcount64)
  ret i32 2
check_pc:
  %lane5 = and i32 %j, 31
  %warp_start = icmp eq i32 %lane5, 0
  %wpc0 = select i1 %warp_start, i32 -1, i32 %wpc
  %is_aligned = icmp eq i32 %gmode, 1
  %counts = and i1 %here, %is_aligned
  %wpc1 = select i1 %counts, i32 %gpc, i32 %wpc0
  %unset = icmp eq i32 %wpc0, -1
  %pc_same = icmp eq i32 %wpc0, %gpc
  %p0 = or i1 %unset, %pc_same
  %not_counted = xor i1 %counts, true
  %p1 = or i1 %p0, %not_counted
  br i1 %p1, label %tally_next, label %bad_pc
bad_pc:
  %wpc64 = zext i32 %wpc0 to i64
  call void @fail_lane(ptr %ctx, i64 $E_ALIGNED, ptr %g, i64 %wpc64)
  ret i32 2
tally_next:
  %j1 = add i32 %j, 1
  br label %tally
tallied:
  %all = icmp eq i32 %need, -1
  %wanted = select i1 %all, i32 %live, i32 %need
  br label %enough
enough:
  %ready = icmp eq i32 %waiting, %wanted
  br i1 %ready, label %release, label %numbered
release:
  %k = phi i32 [0, %enough], [%k1, %release_lane]
  %kmore = icmp ult i32 %k, %n
  br i1 %kmore, label %release_lane, label %numbered
release_lane:
  %h = call ptr @frame_of(ptr %frames, i32 %k, i64 %fb)
  %hkind = call i32 @word(ptr %h, i64 frame.kind)
  %hbar = call i32 @word(ptr %h, i64 frame.bar)
  %h_at = icmp eq i32 %hkind, $BARRIER
  %h_here = icmp eq i32 %hbar, %b
  %goes = and i1 %h_at, %h_here
  %hnew = select i1 %goes, i32 $READY, i32 %hkind
  call void @set(ptr %h, i64 frame.kind, i32 %hnew)
  %k1 = add i32 %k, 1
  br label %release
}

; Whether this thread's arithmetic is IEEE's: subnormals kept, as results and as operands, rounding to nearest.
define internal i1 @sound_arithmetic() noinline {
  %at = alloca double
  store volatile double 0x0010000000000000, ptr %at
  %least = load volatile double, ptr %at
  %halved = fmul double %least, 0.5
  %kept = fcmp one double %halved, 0.0
  store volatile double 0x0000000000000003, ptr %at
  %three = load volatile double, ptr %at
  %six = fadd double %three, %three
  %read = fcmp ogt double %six, %three
  store volatile double 1.0, ptr %at
  %one = load volatile double, ptr %at
  %tie = fadd double %one, 0x3CA0000000000000
  %down = fcmp oeq double %tie, %one
  %above = fadd double %one, 0x3CA8000000000000
  %up = fcmp ogt double %above, %one
  %a = and i1 %kept, %read
  %b = and i1 %down, %up
  %sound = and i1 %a, %b
  ret i1 %sound
}

; Runs every block of the grid: 0, 1 with the error in the run's state, or 2 if the host's arithmetic is not IEEE's.
define i32 @run(ptr %ctx) {
entry:
  %sound = call i1 @sound_arithmetic()
  br i1 %sound, label %prepare, label %unsound
unsound:
  ret i32 2
prepare:
  %fb = call i64 @state(ptr %ctx, i64 ctx.frame_bytes)
  %step_word = call i64 @state(ptr %ctx, i64 ctx.step)
  %step = inttoptr i64 %step_word to ptr
  %blocks = call i64 @state(ptr %ctx, i64 ctx.blocks)
  %threads64 = call i64 @state(ptr %ctx, i64 ctx.threads)
  %n = trunc i64 %threads64 to i32
  %frames_word = call i64 @state(ptr %ctx, i64 ctx.frames)
  %frames = inttoptr i64 %frames_word to ptr
  %table_word = call i64 @state(ptr %ctx, i64 ctx.table)
  %table = inttoptr i64 %table_word to ptr
  %local_row = getelementptr i64, ptr %table, i64 LOCAL_ROW
  %local_base = getelementptr i64, ptr %local_row, i64 row.base
  %local_shadow_at = getelementptr i64, ptr %local_row, i64 row.shadow
  %shared1 = call i64 @state(ptr %ctx, i64 ctx.shared_size1)
  %shared_size = sub i64 %shared1, 1
  %shadow_word = call i64 @state(ptr %ctx, i64 ctx.shared_shadow)
  %shadow = inttoptr i64 %shadow_word to ptr
  %local = call i64 @state(ptr %ctx, i64 ctx.local)
  %local_size = call i64 @state(ptr %ctx, i64 ctx.local_size)
  %local_all = mul i64 %local_size, %threads64
  %lshadow_word = call i64 @state(ptr %ctx, i64 ctx.local_shadow)
  %lshadow = inttoptr i64 %lshadow_word to ptr
  %nx = call i64 @state(ptr %ctx, i64 ctx.nctaid_x)
  %ny = call i64 @state(ptr %ctx, i64 ctx.nctaid_y)
  %ax = getelementptr i64, ptr %ctx, i64 ctx.ctaid_x
  %ay = getelementptr i64, ptr %ctx, i64 ctx.ctaid_y
  %az = getelementptr i64, ptr %ctx, i64 ctx.ctaid_z
  %reverse_word = call i64 @state(ptr %ctx, i64 ctx.reverse)
  %reverse = icmp ne i64 %reverse_word, 0
  %n31 = add i32 %n, 31
  %whole = and i32 %n31, -32
  %last_warp = sub i32 %whole, 32
  br label %block
block:
  %b = phi i64 [0, %prepare], [%b1, %block_done]
  %bmore = icmp ult i64 %b, %blocks
  br i1 %bmore, label %begin, label %finish
finish:
  ret i32 0
begin:
  %from_last = sub i64 %blocks, %b
  %last_b = sub i64 %from_last, 1
  %number = select i1 %reverse, i64 %last_b, i64 %b
  %cx = urem i64 %number, %nx
  %bx = udiv i64 %number, %nx
  %cy = urem i64 %bx, %ny
  %cz = udiv i64 %bx, %ny
  store i64 %cx, ptr %ax
  store i64 %cy, ptr %ay
  store i64 %cz, ptr %az
  call void @llvm.memset.p0.i64(ptr %shadow, i8 0, i64 %shared_size, i1 false)
  call void @llvm.memset.p0.i64(ptr %lshadow, i8 0, i64 %local_all, i1 false)
  br label %reset
reset:
  %r = phi i32 [0, %begin], [%r1, %reset_lane]
  %rmore = icmp ult i32 %r, %n
  br i1 %rmore, label %reset_lane, label %again
reset_lane:
  %rf = call ptr @frame_of(ptr %frames, i32 %r, i64 %fb)
  call void @set(ptr %rf, i64 frame.resume, i32 0)
  call void @set(ptr %rf, i64 frame.kind, i32 $READY)
  %r1 = add i32 %r, 1
  br label %reset
again:
  br label %warp
warp:
  %w0 = phi i32 [0, %again], [%w1, %warp_done]
  %wmore = icmp ult i32 %w0, %n
  %w_back = sub i32 %last_warp, %w0
  %w = select i1 %reverse, i32 %w_back, i32 %w0
  br i1 %wmore, label %warp_run, label %settle_block
warp_run:
  %left = sub i32 %n, %w
  %size = call i32 @llvm.umin.i32(i32 %left, i32 32)
  %wf = call ptr @frame_of(ptr %frames, i32 %w, i64 %fb)
  br label %warp_again
warp_again:
  br label %lane
lane:
  %l0 = phi i32 [0, %warp_again], [%l1, %lane_done]
  %lmore = icmp ult i32 %l0, %size
  %l_left = sub i32 %size, %l0
  %l_back = sub i32 %l_left, 1
  %l = select i1 %reverse, i32 %l_back, i32 %l0
  br i1 %lmore, label %lane_look, label %settle_warp
lane_look:
  %f = call ptr @frame_of(ptr %wf, i32 %l, i64 %fb)
  %kind = call i32 @word(ptr %f, i64 frame.kind)
  %ready = icmp eq i32 %kind, $READY
  br i1 %ready, label %lane_run, label %lane_done
lane_run:
  %linear = add i32 %w, %l
  %linear64 = zext i32 %linear to i64
  %local_off = mul i64 %linear64, %local_size
  %lb = add i64 %local, %local_off
  store i64 %lb, ptr %local_base
  %ls = add i64 %lshadow_word, %local_off
  store i64 %ls, ptr %local_shadow_at
  %bad = call i32 %step(ptr %ctx, ptr %f)
  %stop = icmp ne i32 %bad, 0
  br i1 %stop, label %stopped, label %lane_done
stopped:
  %lane_at = getelementptr i64, ptr %ctx, i64 ctx.lane
  store i64 %linear64, ptr %lane_at
  ret i32 1
lane_done:
  %l1 = add i32 %l0, 1
  br label %lane
settle_warp:
  %ws = call i32 @settle(ptr %ctx, ptr %wf, i32 %size)
  switch i32 %ws, label %failed [i32 0, label %warp_done i32 1, label %warp_again]
warp_done:
  %w1 = add i32 %w0, 32
  br label %warp
settle_block:
  %bs = call i32 @barriers(ptr %ctx, ptr %frames, i32 %n)
  switch i32 %bs, label %failed [i32 0, label %block_done i32 1, label %again]
block_done:
  %b1 = add i64 %b, 1
  br label %block
failed:
  ret i32 1
}

declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
"""


def _numbers(text: str) -> str:
    text = re.sub(r"\$(\w+)", lambda found: str(getattr(prelude, found[1])), text)
    text = re.sub(r"\bctx\.(\w+)", lambda found: str(CTX[found[1]]), text)
    text = re.sub(r"\bframe\.(\w+)", lambda found: str(FRAME[found[1]]), text)
    text = re.sub(r"\brow\.(\w+)", lambda found: str(ROW[found[1]]), text)
    return text.replace("LOCAL_ROW", str(LOCAL_ID * ROW_WORDS))


DECLARES: Final = "\n".join(f"declare i32 @llvm.{op}.i32(i32, i32)" for op in ("umin", "umax", "smin", "smax"))

# What a kernel's own module needs, and the scheduler's module, which is the same for every kernel.
FAIL: Final = _numbers(FAIL_TEXT)
SCHEDULER: Final = _numbers(FAIL_TEXT + SETTLE_TEXT + _BLOCKS) + DECLARES
