"""The scheduler's part for one warp, in LLVM IR: instructions at which threads of a warp wait for each other."""

from __future__ import annotations

from typing import Final

# In these texts $NAME is a number of prelude's, ctx.NAME and frame.NAME stand for the index of a word.
FAIL_TEXT: Final = r"""
define internal void @fail(ptr %ctx, i64 %error, i64 %pc, i64 %address) cold noinline {
  %e = getelementptr i64, ptr %ctx, i64 ctx.error
  store i64 %error, ptr %e
  %p = getelementptr i64, ptr %ctx, i64 ctx.pc
  store i64 %pc, ptr %p
  %a = getelementptr i64, ptr %ctx, i64 ctx.address
  store i64 %address, ptr %a
  ret void
}
"""

SETTLE_TEXT: Final = r"""
define internal void @fail_lane(ptr %ctx, i64 %error, ptr %frame, i64 %address) cold noinline {
  %pc32 = call i32 @word(ptr %frame, i64 frame.pc)
  %pc = zext i32 %pc32 to i64
  call void @fail(ptr %ctx, i64 %error, i64 %pc, i64 %address)
  %l32 = call i32 @word(ptr %frame, i64 frame.lane)
  %l = zext i32 %l32 to i64
  %at = getelementptr i64, ptr %ctx, i64 ctx.lane
  store i64 %l, ptr %at
  ret void
}

define internal i64 @state(ptr %ctx, i64 %i) alwaysinline {
  %at = getelementptr i64, ptr %ctx, i64 %i
  %v = load i64, ptr %at
  ret i64 %v
}

define internal i32 @word(ptr %frame, i64 %i) alwaysinline {
  %at = getelementptr i32, ptr %frame, i64 %i
  %v = load i32, ptr %at
  ret i32 %v
}

define internal void @set(ptr %frame, i64 %i, i32 %v) alwaysinline {
  %at = getelementptr i32, ptr %frame, i64 %i
  store i32 %v, ptr %at
  ret void
}

define internal ptr @frame_of(ptr %first, i32 %i, i64 %size) alwaysinline {
  %wide = zext i32 %i to i64
  %bytes = mul i64 %wide, %size
  %at = getelementptr i8, ptr %first, i64 %bytes
  ret ptr %at
}

; Whether lane %i is named by %mask.
define internal i1 @named(i32 %mask, i32 %i) alwaysinline {
  %moved = lshr i32 %mask, %i
  %bit = trunc i32 %moved to i1
  ret i1 %bit
}

; The source lane of a shuffle and its predicate, PTX ISA 9.0, section "shfl.sync": lane | predicate << 8.
define internal i32 @source(i32 %mode, i32 %lane, i32 %b, i32 %c) alwaysinline {
  %bval = and i32 %b, 31
  %cval = and i32 %c, 31
  %c8 = lshr i32 %c, 8
  %seg = and i32 %c8, 31
  %nseg = xor i32 %seg, 31
  %low = and i32 %lane, %seg
  %clamped = and i32 %cval, %nseg
  %max = or i32 %low, %clamped
  %up = sub i32 %lane, %bval
  %down = add i32 %lane, %bval
  %bfly = xor i32 %lane, %bval
  %inner = and i32 %bval, %nseg
  %idx = or i32 %low, %inner
  %is_up = icmp eq i32 %mode, 0
  %is_down = icmp eq i32 %mode, 1
  %is_bfly = icmp eq i32 %mode, 2
  %j0 = select i1 %is_bfly, i32 %bfly, i32 %idx
  %j1 = select i1 %is_down, i32 %down, i32 %j0
  %j = select i1 %is_up, i32 %up, i32 %j1
  %above = icmp sge i32 %j, %max
  %below = icmp sle i32 %j, %max
  %ok = select i1 %is_up, i1 %above, i1 %below
  %from = select i1 %ok, i32 %j, i32 %lane
  %ok32 = zext i1 %ok to i32
  %flag = shl i32 %ok32, 8
  %out = or i32 %from, %flag
  ret i32 %out
}

define internal i32 @reduced(i32 %kind, i32 %mode, i32 %x, i32 %y) alwaysinline {
  %m = add i32 %mode, 100
  %is_vote = icmp eq i32 %kind, $VOTE
  %choice = select i1 %is_vote, i32 %mode, i32 %m
  switch i32 %choice, label %add [i32 0, label %and i32 1, label %or i32 3, label %or i32 101, label %umin
    i32 102, label %umax i32 103, label %smin i32 104, label %smax i32 105, label %and i32 106, label %or
    i32 107, label %xor i32 2, label %keep]
add:
  %v0 = add i32 %x, %y
  ret i32 %v0
and:
  %v1 = and i32 %x, %y
  ret i32 %v1
or:
  %v2 = or i32 %x, %y
  ret i32 %v2
xor:
  %v3 = xor i32 %x, %y
  ret i32 %v3
umin:
  %v4 = call i32 @llvm.umin.i32(i32 %x, i32 %y)
  ret i32 %v4
umax:
  %v5 = call i32 @llvm.umax.i32(i32 %x, i32 %y)
  ret i32 %v5
smin:
  %v6 = call i32 @llvm.smin.i32(i32 %x, i32 %y)
  ret i32 %v6
smax:
  %v7 = call i32 @llvm.smax.i32(i32 %x, i32 %y)
  ret i32 %v7
keep: ; vote.uni: 1 while all agree with the first, else 2
  %same = icmp eq i32 %x, %y
  %v8 = select i1 %same, i32 %x, i32 2
  ret i32 %v8
}

; Settles warp-wide instructions of one warp: 0 none could go on, 1 some did, 2 an error.
define internal i32 @settle(ptr %ctx, ptr %warp, i32 %n) noinline {
entry:
  %fb = call i64 @state(ptr %ctx, i64 ctx.frame_bytes)
  br label %next
next:
  %i = phi i32 [0, %entry], [%i1, %step]
  %woken = phi i32 [0, %entry], [%woken1, %step]
  %more = icmp ult i32 %i, %n
  br i1 %more, label %lane, label %finish
finish:
  ret i32 %woken
lane:
  %f = call ptr @frame_of(ptr %warp, i32 %i, i64 %fb)
  %kind = call i32 @word(ptr %f, i64 frame.kind)
  %is_shuffle = icmp eq i32 %kind, $SHUFFLE
  %is_other = icmp uge i32 %kind, $WARP
  %waits = or i1 %is_shuffle, %is_other
  br i1 %waits, label %group, label %step
step:
  %woken1 = phi i32 [%woken, %lane], [%woken, %not_ready], [1, %awake]
  %i1 = add i32 %i, 1
  br label %next
group:
  %mask = call i32 @word(ptr %f, i64 frame.mask)
  %pc = call i32 @word(ptr %f, i64 frame.pc)
  %mode = call i32 @word(ptr %f, i64 frame.mode)
  %in = call i1 @named(i32 %mask, i32 %i)
  br i1 %in, label %scan, label %outside
outside:
  %mask64 = zext i32 %mask to i64
  call void @fail_lane(ptr %ctx, i64 $E_NOT_IN_MASK, ptr %f, i64 %mask64)
  ret i32 2
scan:
  %j = phi i32 [0, %group], [%j1, %scanned]
  %jmore = icmp ult i32 %j, %n
  br i1 %jmore, label %look, label %resolve
look:
  %g = call ptr @frame_of(ptr %warp, i32 %j, i64 %fb)
  %jin = call i1 @named(i32 %mask, i32 %j)
  %jkind = call i32 @word(ptr %g, i64 frame.kind)
  %jpc = call i32 @word(ptr %g, i64 frame.pc)
  %jmask = call i32 @word(ptr %g, i64 frame.mask)
  %gone = icmp eq i32 %jkind, $EXITED
  %same_kind = icmp eq i32 %jkind, %kind
  %same_pc = icmp eq i32 %jpc, %pc
  %same_mask = icmp eq i32 %jmask, %mask
  %s0 = and i1 %same_kind, %same_pc
  %s1 = and i1 %s0, %same_mask
  %s2 = or i1 %s1, %gone
  %unnamed = xor i1 %jin, true
  %s3 = or i1 %s2, %unnamed
  br i1 %s3, label %scanned, label %not_ready
not_ready:
  br label %step
scanned:
  %j1 = add i32 %j, 1
  br label %scan
resolve:
  br i1 %is_shuffle, label %shuffle, label %gather

shuffle:
  %k = phi i32 [0, %resolve], [%k1, %shuffled]
  %kmore = icmp ult i32 %k, %n
  br i1 %kmore, label %shuffle_lane, label %wake
shuffle_lane:
  %h = call ptr @frame_of(ptr %warp, i32 %k, i64 %fb)
  %hin = call i1 @named(i32 %mask, i32 %k)
  %hkind = call i32 @word(ptr %h, i64 frame.kind)
  %halive = icmp ne i32 %hkind, $EXITED
  %takes = and i1 %hin, %halive
  br i1 %takes, label %take, label %shuffled
take:
  %b = call i32 @word(ptr %h, i64 frame.b)
  %c = call i32 @word(ptr %h, i64 frame.c)
  %src = call i32 @source(i32 %mode, i32 %k, i32 %b, i32 %c)
  %from = and i32 %src, 255
  %ok = lshr i32 %src, 8
  %exists = icmp ult i32 %from, %n
  %from_safe = select i1 %exists, i32 %from, i32 %k
  %from_in = call i1 @named(i32 %mask, i32 %from_safe)
  %o = call ptr @frame_of(ptr %warp, i32 %from_safe, i64 %fb)
  %okind = call i32 @word(ptr %o, i64 frame.kind)
  %oalive = icmp ne i32 %okind, $EXITED
  %g0 = and i1 %exists, %from_in
  %g1 = and i1 %g0, %oalive
  br i1 %g1, label %give, label %bad_source
bad_source:
  %from64 = zext i32 %from to i64
  call void @fail_lane(ptr %ctx, i64 $E_BAD_SOURCE, ptr %h, i64 %from64)
  ret i32 2
give:
  %value = call i32 @word(ptr %o, i64 frame.a)
  call void @set(ptr %h, i64 frame.result, i32 %value)
  call void @set(ptr %h, i64 frame.pred, i32 %ok)
  br label %shuffled
shuffled:
  %k1 = add i32 %k, 1
  br label %shuffle

; Votes and reductions: one value over all, the first thread's taken as it is.
gather:
  %q = phi i32 [0, %resolve], [%q1, %gathered]
  %total = phi i32 [0, %resolve], [%total1, %gathered]
  %begun = phi i1 [false, %resolve], [%begun1, %gathered]
  %qmore = icmp ult i32 %q, %n
  br i1 %qmore, label %gather_lane, label %spread
gather_lane:
  %r = call ptr @frame_of(ptr %warp, i32 %q, i64 %fb)
  %rin = call i1 @named(i32 %mask, i32 %q)
  %rkind = call i32 @word(ptr %r, i64 frame.kind)
  %ralive = icmp ne i32 %rkind, $EXITED
  %gives = and i1 %rin, %ralive
  %a0 = call i32 @word(ptr %r, i64 frame.a)
  %is_vote = icmp eq i32 %kind, $VOTE
  %is_third = icmp eq i32 %mode, 3
  %ballot = and i1 %is_vote, %is_third
  %abit = shl i32 %a0, %q
  %a = select i1 %ballot, i32 %abit, i32 %a0
  %joined = call i32 @reduced(i32 %kind, i32 %mode, i32 %total, i32 %a)
  %next_total = select i1 %begun, i32 %joined, i32 %a
  %total1 = select i1 %gives, i32 %next_total, i32 %total
  %begun1 = or i1 %begun, %gives
  br label %gathered
gathered:
  %q1 = add i32 %q, 1
  br label %gather
spread:
  %is_second = icmp eq i32 %mode, 2
  %vote_kind = icmp eq i32 %kind, $VOTE
  %uni = and i1 %vote_kind, %is_second
  %agree0 = icmp ne i32 %total, 2
  %agree = zext i1 %agree0 to i32
  %shared = select i1 %uni, i32 %agree, i32 %total
  br label %spread_next
spread_next:
  %t = phi i32 [0, %spread], [%t1, %spread_lane]
  %tmore = icmp ult i32 %t, %n
  br i1 %tmore, label %spread_lane, label %wake
spread_lane:
  %u = call ptr @frame_of(ptr %warp, i32 %t, i64 %fb)
  %uold = call i32 @word(ptr %u, i64 frame.result)
  %uin = call i1 @named(i32 %mask, i32 %t)
  %unew = select i1 %uin, i32 %shared, i32 %uold
  call void @set(ptr %u, i64 frame.result, i32 %unew)
  %t1 = add i32 %t, 1
  br label %spread_next

wake:
  %w = phi i32 [0, %shuffle], [0, %spread_next], [%w1, %wake_lane]
  %wmore = icmp ult i32 %w, %n
  br i1 %wmore, label %wake_lane, label %awake
wake_lane:
  %x = call ptr @frame_of(ptr %warp, i32 %w, i64 %fb)
  %xin = call i1 @named(i32 %mask, i32 %w)
  %xkind = call i32 @word(ptr %x, i64 frame.kind)
  %xalive = icmp ne i32 %xkind, $EXITED
  %xwakes = and i1 %xin, %xalive
  %xnew = select i1 %xwakes, i32 $READY, i32 %xkind
  call void @set(ptr %x, i64 frame.kind, i32 %xnew)
  %w1 = add i32 %w, 1
  br label %wake
awake:
  br label %step
}
"""
