/* SPDX-License-Identifier: Apache-2.0 */
/* What every container of the benchmark runs. */
int main(void)
{
    return 0;
}
