; What a kernel asks of Numba's runtime for an array or a list that lives within one call, made of malloc, realloc and free.
;
; A handle, as compiled code reads it: the count of references, a destructor, what is passed to it, the address of the
; data, their size, and (in Numba's: what allocated them) the block that they are in.
%handle = type { i64, ptr, ptr, ptr, i64, ptr }

declare noalias ptr @malloc(i64)
declare noalias ptr @realloc(ptr, i64)
declare void @free(ptr)
declare double @ldexp(double, i32)

define double @numba_ldexp(double %x, i32 %n) {
  %y = call double @ldexp(double %x, i32 %n)
  ret double %y
}

; A new handle of some data, or null; the block is what will be freed.
define ptr @handle_of(ptr %data, ptr %block, i64 %size, ptr %destructor) {
  %empty = icmp eq ptr %block, null
  br i1 %empty, label %nothing, label %filled
filled:
  %bytes = ptrtoint ptr getelementptr (%handle, ptr null, i64 1) to i64
  %new = call ptr @malloc(i64 %bytes)
  %failed = icmp eq ptr %new, null
  br i1 %failed, label %back, label %made
back:
  call void @free(ptr %block)
  br label %nothing
made:
  store i64 1, ptr %new
  %destructor_at = getelementptr %handle, ptr %new, i64 0, i32 1
  store ptr %destructor, ptr %destructor_at
  %passed_at = getelementptr %handle, ptr %new, i64 0, i32 2
  store ptr null, ptr %passed_at
  %data_at = getelementptr %handle, ptr %new, i64 0, i32 3
  store ptr %data, ptr %data_at
  %size_at = getelementptr %handle, ptr %new, i64 0, i32 4
  store i64 %size, ptr %size_at
  %block_at = getelementptr %handle, ptr %new, i64 0, i32 5
  store ptr %block, ptr %block_at
  ret ptr %new
nothing:
  ret ptr null
}

; For an array: its data begin at a multiple of a power of two.
define ptr @NRT_MemInfo_alloc_aligned(i64 %size, i32 %align) {
  %by = zext i32 %align to i64
  %room = add i64 %size, %by
  %block = call ptr @malloc(i64 %room)
  %address = ptrtoint ptr %block to i64
  %less = sub i64 %by, 1
  %above = add i64 %address, %less
  %mask = sub i64 0, %by
  %start = and i64 %above, %mask
  %data = inttoptr i64 %start to ptr
  %new = call ptr @handle_of(ptr %data, ptr %block, i64 %size, ptr null)
  ret ptr %new
}

; For a list.
define ptr @NRT_MemInfo_new_varsize_dtor(i64 %size, ptr %destructor) {
  %block = call ptr @malloc(i64 %size)
  %new = call ptr @handle_of(ptr %block, ptr %block, i64 %size, ptr %destructor)
  ret ptr %new
}

define ptr @NRT_MemInfo_varsize_realloc(ptr %handle, i64 %size) {
  %data_at = getelementptr %handle, ptr %handle, i64 0, i32 3
  %old = load ptr, ptr %data_at
  %data = call ptr @realloc(ptr %old, i64 %size)
  %failed = icmp eq ptr %data, null
  br i1 %failed, label %nothing, label %moved
moved:
  store ptr %data, ptr %data_at
  %size_at = getelementptr %handle, ptr %handle, i64 0, i32 4
  store i64 %size, ptr %size_at
  %block_at = getelementptr %handle, ptr %handle, i64 0, i32 5
  store ptr %data, ptr %block_at
  ret ptr %data
nothing:
  ret ptr null
}

define void @NRT_incref(ptr %handle) {
  %none = icmp eq ptr %handle, null
  br i1 %none, label %done, label %some
some:
  %count = load i64, ptr %handle
  %more = add i64 %count, 1
  store i64 %more, ptr %handle
  br label %done
done:
  ret void
}

define void @NRT_decref(ptr %handle) {
  %none = icmp eq ptr %handle, null
  br i1 %none, label %done, label %some
some:
  %count = load i64, ptr %handle
  %less = sub i64 %count, 1
  store i64 %less, ptr %handle
  %last = icmp eq i64 %less, 0
  br i1 %last, label %end, label %done
end:
  %data_at = getelementptr %handle, ptr %handle, i64 0, i32 3
  %data = load ptr, ptr %data_at
  %destructor_at = getelementptr %handle, ptr %handle, i64 0, i32 1
  %destructor = load ptr, ptr %destructor_at
  %plain = icmp eq ptr %destructor, null
  br i1 %plain, label %released, label %destroyed
destroyed:
  call void %destructor(ptr %data, i64 0, ptr null)
  br label %released
released:
  %block_at = getelementptr %handle, ptr %handle, i64 0, i32 5
  %block = load ptr, ptr %block_at
  call void @free(ptr %block)
  call void @free(ptr %handle)
  br label %done
done:
  ret void
}
