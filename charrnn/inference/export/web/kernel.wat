;; The page's arithmetic: products of matrices and vectors, and the cells, on vectors of four floats.
;;
;; web/kernel.js has the same functions in JavaScript, for browsers that allow no WebAssembly. Both round to float32
;; after every operation and take the operations in the same order, so that a seed gives the same text everywhere.
;;
;; Matrices lie in panels of 32 rows: panel, column, row in the panel. A column of a panel is eight vectors, which are
;; scaled by one number of the vector and added to eight sums. Nothing is ever summed across a vector.
;;
;; kernel.wasm is this file assembled: wat2wasm kernel.wat -o kernel.wasm (package wabt).
(module
  (import "env" "memory" (memory 1))

  ;; matvec(matrix, vector, sums, columns, panels): sums += matrix times vector.
  (func (export "matvec") (param $matrix i32) (param $vector i32) (param $sums i32) (param $columns i32) (param $panels i32)
    (local $end i32) (local $vector_end i32) (local $at i32) (local $x v128)
    (local $t0 v128) (local $t1 v128) (local $t2 v128) (local $t3 v128) (local $t4 v128) (local $t5 v128) (local $t6 v128) (local $t7 v128)
    (local.set $end (i32.add (local.get $sums) (i32.mul (local.get $panels) (i32.const 128))))
    (local.set $vector_end (i32.add (local.get $vector) (i32.mul (local.get $columns) (i32.const 4))))
    (loop $panel
      (local.set $t0 (v128.load align=4 (local.get $sums)))
      (local.set $t1 (v128.load offset=16 align=4 (local.get $sums)))
      (local.set $t2 (v128.load offset=32 align=4 (local.get $sums)))
      (local.set $t3 (v128.load offset=48 align=4 (local.get $sums)))
      (local.set $t4 (v128.load offset=64 align=4 (local.get $sums)))
      (local.set $t5 (v128.load offset=80 align=4 (local.get $sums)))
      (local.set $t6 (v128.load offset=96 align=4 (local.get $sums)))
      (local.set $t7 (v128.load offset=112 align=4 (local.get $sums)))
      (local.set $at (local.get $vector))
      (loop $column
        (local.set $x (v128.load32_splat (local.get $at)))
        (local.set $t0 (f32x4.add (local.get $t0) (f32x4.mul (v128.load align=4 (local.get $matrix)) (local.get $x))))
        (local.set $t1 (f32x4.add (local.get $t1) (f32x4.mul (v128.load offset=16 align=4 (local.get $matrix)) (local.get $x))))
        (local.set $t2 (f32x4.add (local.get $t2) (f32x4.mul (v128.load offset=32 align=4 (local.get $matrix)) (local.get $x))))
        (local.set $t3 (f32x4.add (local.get $t3) (f32x4.mul (v128.load offset=48 align=4 (local.get $matrix)) (local.get $x))))
        (local.set $t4 (f32x4.add (local.get $t4) (f32x4.mul (v128.load offset=64 align=4 (local.get $matrix)) (local.get $x))))
        (local.set $t5 (f32x4.add (local.get $t5) (f32x4.mul (v128.load offset=80 align=4 (local.get $matrix)) (local.get $x))))
        (local.set $t6 (f32x4.add (local.get $t6) (f32x4.mul (v128.load offset=96 align=4 (local.get $matrix)) (local.get $x))))
        (local.set $t7 (f32x4.add (local.get $t7) (f32x4.mul (v128.load offset=112 align=4 (local.get $matrix)) (local.get $x))))
        (local.set $matrix (i32.add (local.get $matrix) (i32.const 128)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br_if $column (i32.lt_u (local.get $at) (local.get $vector_end))))
      (v128.store align=4 (local.get $sums) (local.get $t0))
      (v128.store offset=16 align=4 (local.get $sums) (local.get $t1))
      (v128.store offset=32 align=4 (local.get $sums) (local.get $t2))
      (v128.store offset=48 align=4 (local.get $sums) (local.get $t3))
      (v128.store offset=64 align=4 (local.get $sums) (local.get $t4))
      (v128.store offset=80 align=4 (local.get $sums) (local.get $t5))
      (v128.store offset=96 align=4 (local.get $sums) (local.get $t6))
      (v128.store offset=112 align=4 (local.get $sums) (local.get $t7))
      (local.set $sums (i32.add (local.get $sums) (i32.const 128)))
      (br_if $panel (i32.lt_u (local.get $sums) (local.get $end)))))

  ;; The parts 2^n and e^r - 1 of e^x, |r| <= ln 2 / 2, as in charrnn.native.functions: n is x / ln 2 rounded by adding
  ;; 1.5 * 2^23, ln 2 comes in two parts (Cody and Waite 1980), and e^r - 1 is Taylor's series of seven terms.
  (func $split_exp (param $x v128) (result v128 v128)
    (local $rounded v128) (local $n v128) (local $r v128)
    (local.set $rounded (f32x4.add (f32x4.mul (local.get $x) (v128.const f32x4 0x1.715476p+0 0x1.715476p+0 0x1.715476p+0 0x1.715476p+0)) (v128.const f32x4 0x1.8p+23 0x1.8p+23 0x1.8p+23 0x1.8p+23)))
    (local.set $n (f32x4.sub (local.get $rounded) (v128.const f32x4 0x1.8p+23 0x1.8p+23 0x1.8p+23 0x1.8p+23)))
    (local.set $r (f32x4.sub
      (f32x4.sub (local.get $x) (f32x4.mul (local.get $n) (v128.const f32x4 0x1.63p-1 0x1.63p-1 0x1.63p-1 0x1.63p-1)))
      (f32x4.mul (local.get $n) (v128.const f32x4 -0x1.bd0106p-13 -0x1.bd0106p-13 -0x1.bd0106p-13 -0x1.bd0106p-13))))
    (i32x4.add (i32x4.shl (local.get $rounded) (i32.const 23)) (v128.const f32x4 1 1 1 1))
    (f32x4.mul
      (f32x4.add (f32x4.mul
        (f32x4.add (f32x4.mul
          (f32x4.add (f32x4.mul
            (f32x4.add (f32x4.mul
              (f32x4.add (f32x4.mul
                (f32x4.add (f32x4.mul (local.get $r) (v128.const f32x4 0x1.a01a020000000p-13 0x1.a01a020000000p-13 0x1.a01a020000000p-13 0x1.a01a020000000p-13)) (v128.const f32x4 0x1.6c16c20000000p-10 0x1.6c16c20000000p-10 0x1.6c16c20000000p-10 0x1.6c16c20000000p-10))
                (local.get $r)) (v128.const f32x4 0x1.1111120000000p-7 0x1.1111120000000p-7 0x1.1111120000000p-7 0x1.1111120000000p-7))
              (local.get $r)) (v128.const f32x4 0x1.5555560000000p-5 0x1.5555560000000p-5 0x1.5555560000000p-5 0x1.5555560000000p-5))
            (local.get $r)) (v128.const f32x4 0x1.5555560000000p-3 0x1.5555560000000p-3 0x1.5555560000000p-3 0x1.5555560000000p-3))
          (local.get $r)) (v128.const f32x4 0x1.0000000000000p-1 0x1.0000000000000p-1 0x1.0000000000000p-1 0x1.0000000000000p-1))
        (local.get $r)) (v128.const f32x4 0x1.0000000000000p+0 0x1.0000000000000p+0 0x1.0000000000000p+0 0x1.0000000000000p+0))
      (local.get $r)))

  ;; 1 / (1 + e^-x); beyond 87, e^x is no ordinary float32.
  (func $sigmoid (param $x v128) (result v128)
    (local $power v128) (local $rest v128)
    (call $split_exp (f32x4.min
      (f32x4.max (f32x4.mul (local.get $x) (v128.const f32x4 -1 -1 -1 -1)) (v128.const f32x4 -87 -87 -87 -87))
      (v128.const f32x4 87 87 87 87)))
    (local.set $rest)
    (local.set $power)
    (f32x4.div
      (f32x4.add (f32x4.mul (local.get $power) (v128.const f32x4 0 0 0 0)) (v128.const f32x4 1 1 1 1))
      (f32x4.add (f32x4.add (f32x4.mul (local.get $power) (local.get $rest)) (local.get $power)) (v128.const f32x4 1 1 1 1))))

  ;; t / (t + 2) with t = e^2x - 1, which loses nothing near 0; tanh is 1 beyond 10.
  (func $tanh (param $x v128) (result v128)
    (local $power v128) (local $rest v128) (local $t v128)
    (call $split_exp (f32x4.min
      (f32x4.max (f32x4.mul (local.get $x) (v128.const f32x4 2 2 2 2)) (v128.const f32x4 -20 -20 -20 -20))
      (v128.const f32x4 20 20 20 20)))
    (local.set $rest)
    (local.set $power)
    (local.set $t (f32x4.add
      (f32x4.mul (local.get $power) (local.get $rest))
      (f32x4.sub (local.get $power) (v128.const f32x4 1 1 1 1))))
    (f32x4.div (local.get $t) (f32x4.add (local.get $t) (v128.const f32x4 2 2 2 2))))

  ;; lstm(gates, cell, hidden, bytes): gates i, f, g, o of a state's size each; cell and hidden advance.
  (func (export "lstm") (param $gates i32) (param $cell i32) (param $hidden i32) (param $size i32)
    (local $end i32) (local $state v128)
    (local.set $end (i32.add (local.get $gates) (local.get $size)))
    (loop $units
      (local.set $state (f32x4.add
        (f32x4.mul
          (call $sigmoid (v128.load align=4 (i32.add (local.get $gates) (local.get $size))))
          (v128.load align=4 (local.get $cell)))
        (f32x4.mul
          (call $sigmoid (v128.load align=4 (local.get $gates)))
          (call $tanh (v128.load align=4 (i32.add (local.get $gates) (i32.mul (local.get $size) (i32.const 2))))))))
      (v128.store align=4 (local.get $cell) (local.get $state))
      (v128.store align=4 (local.get $hidden) (f32x4.mul
        (call $sigmoid (v128.load align=4 (i32.add (local.get $gates) (i32.mul (local.get $size) (i32.const 3)))))
        (call $tanh (local.get $state))))
      (local.set $cell (i32.add (local.get $cell) (i32.const 16)))
      (local.set $hidden (i32.add (local.get $hidden) (i32.const 16)))
      (local.set $gates (i32.add (local.get $gates) (i32.const 16)))
      (br_if $units (i32.lt_u (local.get $gates) (local.get $end)))))

  ;; gru(inputs, states, hidden, bytes): gates r, z, n of what comes in and of the state; hidden advances.
  (func (export "gru") (param $inputs i32) (param $states i32) (param $hidden i32) (param $size i32)
    (local $end i32) (local $candidate v128)
    (local.set $end (i32.add (local.get $inputs) (local.get $size)))
    (loop $units
      (local.set $candidate (call $tanh (f32x4.add
        (v128.load align=4 (i32.add (local.get $inputs) (i32.mul (local.get $size) (i32.const 2))))
        (f32x4.mul
          (call $sigmoid (f32x4.add
            (v128.load align=4 (local.get $inputs)) (v128.load align=4 (local.get $states))))
          (v128.load align=4 (i32.add (local.get $states) (i32.mul (local.get $size) (i32.const 2))))))))
      (v128.store align=4 (local.get $hidden) (f32x4.add
        (local.get $candidate)
        (f32x4.mul
          (call $sigmoid (f32x4.add
            (v128.load align=4 (i32.add (local.get $inputs) (local.get $size)))
            (v128.load align=4 (i32.add (local.get $states) (local.get $size)))))
          (f32x4.sub (v128.load align=4 (local.get $hidden)) (local.get $candidate)))))
      (local.set $states (i32.add (local.get $states) (i32.const 16)))
      (local.set $hidden (i32.add (local.get $hidden) (i32.const 16)))
      (local.set $inputs (i32.add (local.get $inputs) (i32.const 16)))
      (br_if $units (i32.lt_u (local.get $inputs) (local.get $end)))))

  ;; rnn(sums, hidden, bytes): hidden is tanh of the sums.
  (func (export "rnn") (param $sums i32) (param $hidden i32) (param $size i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $sums) (local.get $size)))
    (loop $units
      (v128.store align=4 (local.get $hidden) (call $tanh (v128.load align=4 (local.get $sums))))
      (local.set $hidden (i32.add (local.get $hidden) (i32.const 16)))
      (local.set $sums (i32.add (local.get $sums) (i32.const 16)))
      (br_if $units (i32.lt_u (local.get $sums) (local.get $end))))))
