define internal void @fail(ptr %ctx, i64 %error, i64 %pc, i64 %address) cold noinline {
  %e = getelementptr i64, ptr %ctx, i64 ctx.error
  store i64 %error, ptr %e
  %p = getelementptr i64, ptr %ctx, i64 ctx.pc
  store i64 %pc, ptr %p
  %a = getelementptr i64, ptr %ctx, i64 ctx.address
  store i64 %address, ptr %a
  ret void
}
