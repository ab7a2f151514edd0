; The scheduler: runs the threads of each block in turn until all have ended.
;
; A block's warps run one after another. Within a warp every thread runs to its next wait; warp-wide instructions are
; settled as soon as every living thread that they name waits at the same one; when no thread of any warp can go on,
; barriers are. Living threads that can then still not go on are a deadlock.
;
; prelude.py puts in the numbers after $, and the places of words in the run's state, a frame and the table.

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

; Gives thread %h what the thread %o has for it: the results of all shuffles that share the wait.
define internal void @hand_over(ptr %h, ptr %o, i32 %ok) alwaysinline {
  %value = call i32 @word(ptr %o, i64 frame.a)
  call void @set(ptr %h, i64 frame.result, i32 %value)
  call void @set(ptr %h, i64 frame.pred, i32 %ok)
  %from = getelementptr i32, ptr %o, i64 frame.a1
  %others = load <4 x i32>, ptr %from, align 4
  %to = getelementptr i32, ptr %h, i64 frame.result1
  store <4 x i32> %others, ptr %to, align 4
  ret void
}

; The usual case: all 32 threads of a warp wait at one shuffle that names them all and moves as far for each. Whether it
; was that; then it is settled, else nothing has changed.
define internal i1 @exchanged(ptr %ctx, ptr %warp, i32 %n) noinline {
entry:
  %fb = call i64 @state(ptr %ctx, i64 ctx.frame_bytes)
  %kind = call i32 @word(ptr %warp, i64 frame.kind)
  %mask = call i32 @word(ptr %warp, i64 frame.mask)
  %pc = call i32 @word(ptr %warp, i64 frame.pc)
  %mode = call i32 @word(ptr %warp, i64 frame.mode)
  %b = call i32 @word(ptr %warp, i64 frame.b)
  %c = call i32 @word(ptr %warp, i64 frame.c)
  %is_shuffle = icmp eq i32 %kind, $SHUFFLE
  %is_whole = icmp eq i32 %n, 32
  %is_all = icmp eq i32 %mask, -1
  %e0 = and i1 %is_shuffle, %is_whole
  %e1 = and i1 %e0, %is_all
  br i1 %e1, label %look, label %no
no:
  ret i1 false
look:
  %i = phi i32 [1, %entry], [%i1, %look_lane]
  %others = phi i32 [0, %entry], [%others1, %look_lane]
  %more = icmp ult i32 %i, 32
  br i1 %more, label %look_lane, label %looked
look_lane:
  %f = call ptr @frame_of(ptr %warp, i32 %i, i64 %fb)
  %f_kind = call i32 @word(ptr %f, i64 frame.kind)
  %f_mask = call i32 @word(ptr %f, i64 frame.mask)
  %f_pc = call i32 @word(ptr %f, i64 frame.pc)
  %f_b = call i32 @word(ptr %f, i64 frame.b)
  %f_c = call i32 @word(ptr %f, i64 frame.c)
  %d_kind = xor i32 %f_kind, %kind
  %d_mask = xor i32 %f_mask, %mask
  %d_pc = xor i32 %f_pc, %pc
  %d_b = xor i32 %f_b, %b
  %d_c = xor i32 %f_c, %c
  %d0 = or i32 %d_kind, %d_mask
  %d1 = or i32 %d_pc, %d_b
  %d2 = or i32 %d0, %d_c
  %d3 = or i32 %d1, %d2
  %others1 = or i32 %others, %d3
  %i1 = add i32 %i, 1
  br label %look
looked:
  %same = icmp eq i32 %others, 0
  br i1 %same, label %give, label %no
give:
  %k = phi i32 [0, %looked], [%k1, %give_lane]
  %kmore = icmp ult i32 %k, 32
  br i1 %kmore, label %give_lane, label %yes
give_lane:
  %h = call ptr @frame_of(ptr %warp, i32 %k, i64 %fb)
  %src = call i32 @source(i32 %mode, i32 %k, i32 %b, i32 %c)
  %from = and i32 %src, 255
  %ok = lshr i32 %src, 8
  %o = call ptr @frame_of(ptr %warp, i32 %from, i64 %fb)
  call void @hand_over(ptr %h, ptr %o, i32 %ok)
  call void @set(ptr %h, i64 frame.kind, i32 $READY)
  %k1 = add i32 %k, 1
  br label %give
yes:
  ret i1 true
}

; Settles warp-wide instructions of one warp: 0 none could go on, 1 some did, 2 an error.
define internal i32 @settle(ptr %ctx, ptr %warp, i32 %n) noinline {
entry:
  %fb = call i64 @state(ptr %ctx, i64 ctx.frame_bytes)
  %usual = call i1 @exchanged(ptr %ctx, ptr %warp, i32 %n)
  br i1 %usual, label %settled, label %next
settled:
  ret i32 1
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
  call void @hand_over(ptr %h, ptr %o, i32 %ok)
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
  %local_row = getelementptr i64, ptr %table, i64 $LOCAL_ROW
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
declare i32 @llvm.umin.i32(i32, i32)
declare i32 @llvm.umax.i32(i32, i32)
declare i32 @llvm.smin.i32(i32, i32)
declare i32 @llvm.smax.i32(i32, i32)
