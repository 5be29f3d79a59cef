module example.com/dataset

go 1.24

require github.com/libsimdetr/libsimdetr/bindings/go v0.0.0

replace github.com/libsimdetr/libsimdetr/bindings/go => ../../bindings/go
