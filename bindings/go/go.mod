module github.com/libsimdetr/libsimdetr/bindings/go

go 1.24
