module behaviour

go 1.19

require brig v0.0.0

replace brig => ../../../bindings/go
