#include <simdetr.h>

int main(void) { return simdetr_abi_version() == SIMDETR_ABI_VERSION ? 0 : 1; }
