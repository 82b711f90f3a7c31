// The pinned source of a docker buildx before 0.13, whose progress is for people only.
module todo-lua.invalid/engines/buildx

go 1.21

require github.com/docker/buildx v0.12.1

