; Rounds a double to a format of %p stored significand bits and %w exponent bits; modes 0 rn, 1 rz, 2 rm, 3 rp.
define internal i64 @narrow(double %x, i64 %p, i64 %w, i64 %mode) alwaysinline {
  %bits = bitcast double %x to i64
  %sign = lshr i64 %bits, 63
  %pw = add i64 %p, %w
  %signed = shl i64 %sign, %pw
  %e0 = lshr i64 %bits, 52
  %e = and i64 %e0, 2047
  %m = and i64 %bits, 4503599627370495
  %special = icmp eq i64 %e, 2047
  %sub = icmp eq i64 %e, 0
  %hidden = select i1 %sub, i64 0, i64 4503599627370496
  %sig = or i64 %m, %hidden
  %e1 = select i1 %sub, i64 1, i64 %e
  %w1 = sub i64 %w, 1
  %half_range = shl i64 1, %w1
  %bias = sub i64 %half_range, 1
  %range = shl i64 1, %w
  %top = sub i64 %range, 1
  %ex0 = sub i64 %e1, 1023
  %ex = add i64 %ex0, %bias
  %normal = icmp sge i64 %ex, 1
  %drop = sub i64 52, %p
  %under = sub i64 1, %ex
  %more = add i64 %drop, %under
  %capped = call i64 @llvm.smin.i64(i64 %more, i64 60)
  %shift = select i1 %normal, i64 %drop, i64 %capped
  %q = lshr i64 %sig, %shift
  %back = shl i64 %q, %shift
  %rem = sub i64 %sig, %back
  %s1 = sub i64 %shift, 1
  %half = shl i64 1, %s1
  %above = icmp ugt i64 %rem, %half
  %tie = icmp eq i64 %rem, %half
  %q0 = trunc i64 %q to i1
  %tie_up = and i1 %tie, %q0
  %rn = or i1 %above, %tie_up
  %inexact = icmp ne i64 %rem, 0
  %neg = icmp ne i64 %sign, 0
  %rm = and i1 %inexact, %neg
  %pos = xor i1 %neg, true
  %rp = and i1 %inexact, %pos
  %is_rn = icmp eq i64 %mode, 0
  %is_rz = icmp eq i64 %mode, 1
  %is_rm = icmp eq i64 %mode, 2
  %directed = select i1 %is_rm, i1 %rm, i1 %rp
  %rz_or = select i1 %is_rz, i1 false, i1 %directed
  %up = select i1 %is_rn, i1 %rn, i1 %rz_or
  %up64 = zext i1 %up to i64
  %q2 = add i64 %q, %up64
  %exm = sub i64 %ex, 1
  %placed = shl i64 %exm, %p
  %base = select i1 %normal, i64 %placed, i64 0
  %result = add i64 %base, %q2
  %inf = shl i64 %top, %p
  %over = icmp sge i64 %result, %inf
  %away_rm = and i1 %is_rm, %neg
  %is_rp = icmp eq i64 %mode, 3
  %away_rp = and i1 %is_rp, %pos
  %away0 = or i1 %away_rm, %away_rp
  %away = or i1 %away0, %is_rn
  %max = sub i64 %inf, 1
  %overflowed = select i1 %away, i64 %inf, i64 %max
  %finite = select i1 %over, i64 %overflowed, i64 %result
  %is_nan = icmp ne i64 %m, 0
  %special_or = select i1 %special, i64 %inf, i64 %finite
  %with_sign = or i64 %special_or, %signed
  %all = shl i64 1, %pw
  %canonical = sub i64 %all, 1
  %nan = and i1 %special, %is_nan
  %out = select i1 %nan, i64 %canonical, i64 %with_sign
  ret i64 %out
}

; a * b + c rounded to odd in double: rounding that once more to 11 or 8 bits is then exact (Boldo and Melquiond,
; Emulation of FMA and correctly rounded sums, IEEE Trans. Computers 57(4), 2008). The product must be exact.
define internal double @fma_odd(double %a, double %b, double %c) alwaysinline {
  %p = fmul double %a, %b
  %s = fadd double %p, %c
  %pp = fsub double %s, %c
  %cc = fsub double %s, %pp
  %ep = fsub double %p, %pp
  %ec = fsub double %c, %cc
  %err = fadd double %ep, %ec
  %inexact = fcmp one double %err, 0.0
  %bits = bitcast double %s to i64
  %odd = trunc i64 %bits to i1
  %even = xor i1 %odd, true
  %fix = and i1 %inexact, %even
  %err_up = fcmp ogt double %err, 0.0
  %s_up = fcmp ogt double %s, 0.0
  %differ = xor i1 %err_up, %s_up
  %step = select i1 %differ, i64 -1, i64 1
  %moved = add i64 %bits, %step
  %out = select i1 %fix, i64 %moved, i64 %bits
  %value = bitcast i64 %out to double
  ret double %value
}

define internal float @widen_f16(i16 %h) alwaysinline {
  %x = zext i16 %h to i32
  %s = and i32 %x, 32768
  %sign = shl i32 %s, 16
  %e = and i32 %x, 31744
  %m = and i32 %x, 1023
  %em = and i32 %x, 32767
  %moved = shl i32 %em, 13
  %normal = add i32 %moved, 939524096
  %small = uitofp i32 %m to float
  %scaled = fmul float %small, 0x3E70000000000000
  %tiny = bitcast float %scaled to i32
  %is_sub = icmp eq i32 %e, 0
  %is_special = icmp eq i32 %e, 31744
  %has_m = icmp ne i32 %m, 0
  %special = select i1 %has_m, i32 2147483647, i32 2139095040
  %one = select i1 %is_sub, i32 %tiny, i32 %normal
  %two = select i1 %is_special, i32 %special, i32 %one
  %nan = and i1 %is_special, %has_m
  %signed = or i32 %two, %sign
  %bits = select i1 %nan, i32 2147483647, i32 %signed
  %out = bitcast i32 %bits to float
  ret float %out
}

define internal float @widen_bf16(i16 %h) alwaysinline {
  %x = zext i16 %h to i32
  %bits = shl i32 %x, 16
  %v = bitcast i32 %bits to float
  %nan = fcmp uno float %v, 0.0
  %out = select i1 %nan, float bitcast (i32 2147483647 to float), float %v
  ret float %out
}

; atom.add.f32 on global memory flushes subnormals to zeros of their sign (PTX ISA 9.0, section "atom").
define internal float @flush(float %x) alwaysinline {
  %bits = bitcast float %x to i32
  %e = and i32 %bits, 2139095040
  %small = icmp eq i32 %e, 0
  %sign = and i32 %bits, -2147483648
  %kept = select i1 %small, i32 %sign, i32 %bits
  %out = bitcast i32 %kept to float
  ret float %out
}

; The NaN of a double operation: the first operand that is a NaN, made quiet, or the default.
define internal double @payload(double %a, double %b, double %c) cold noinline {
  %a_nan = fcmp uno double %a, 0.0
  %b_nan = fcmp uno double %b, 0.0
  %c_nan = fcmp uno double %c, 0.0
  %ai = bitcast double %a to i64
  %bi = bitcast double %b to i64
  %ci = bitcast double %c to i64
  %one = select i1 %c_nan, i64 %ci, i64 -2251799813685248
  %two = select i1 %b_nan, i64 %bi, i64 %one
  %three = select i1 %a_nan, i64 %ai, i64 %two
  %quiet = or i64 %three, 2251799813685248
  %out = bitcast i64 %quiet to double
  ret double %out
}
