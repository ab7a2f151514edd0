; Runs one thread from where it last waited to where it waits next: 0 if it waits or has ended, 1 if the run must stop.
; lowering.py puts in what stands in capitals.
define i32 @step(ptr %ctx, ptr %frame) {
entry:
REGISTERS
  %table_at = getelementptr i64, ptr %ctx, i64 ctx.table
  %table_word = load i64, ptr %table_at, !invariant.load !0
  %table = inttoptr i64 %table_word to ptr
  %params_at = getelementptr i64, ptr %ctx, i64 ctx.params
  %params_word = load i64, ptr %params_at, !invariant.load !0
  %params = inttoptr i64 %params_word to ptr
  %entries_at = getelementptr i64, ptr %ctx, i64 ctx.entries
  %entries = load i64, ptr %entries_at, !invariant.load !0
  %shared_at = getelementptr i64, ptr %ctx, i64 ctx.shared
  %shared = load i64, ptr %shared_at, !invariant.load !0
  %shared1_at = getelementptr i64, ptr %ctx, i64 ctx.shared_size1
  %shared1 = load i64, ptr %shared1_at, !invariant.load !0
  %shared_shadow_at = getelementptr i64, ptr %ctx, i64 ctx.shared_shadow
  %shared_shadow = load i64, ptr %shared_shadow_at, !invariant.load !0
  %budget = alloca i64
  %budget_at = getelementptr i64, ptr %ctx, i64 ctx.budget
  %budget_0 = load i64, ptr %budget_at
  store i64 %budget_0, ptr %budget
  %kept = getelementptr i8, ptr %frame, i64 $HEADER_BYTES
  %resume_at = getelementptr i32, ptr %frame, i64 frame.resume
  %resume = load i32, ptr %resume_at
  switch i32 %resume, label %I0 [CASES]
exit:
  %kind_at = getelementptr i32, ptr %frame, i64 frame.kind
  store i32 $EXITED, ptr %kind_at
  br label %leave
leave:
  %budget_1 = load i64, ptr %budget
  store i64 %budget_1, ptr %budget_at
  ret i32 0
BODY
}

DECLARED

!0 = !{}
!1 = !{!"branch_weights", i32 2000, i32 1}
!2 = !{!"branch_weights", i32 1, i32 2000}
